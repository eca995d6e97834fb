"""TFLite files read as networks: the subgraph as records, the one chain of operators in it, and what its layers are."""

from npquant.interop.tflite_in.decode import decode_tflite, from_tflite

__all__ = ["decode_tflite", "from_tflite"]
