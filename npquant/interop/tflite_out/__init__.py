"""Networks written as TFLite files: int8, uint8 and 16x8 from integer networks, float32 from float ones."""

from npquant.interop.tflite_out.encode import encode_tflite, to_tflite

__all__ = ["encode_tflite", "to_tflite"]
