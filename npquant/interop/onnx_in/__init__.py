"""ONNX in: a bounded reader of its own, a walk from input to output, and three kinds of network.

bytes      wire messages tensors external
graph      graph walking | constants arithmetic shapes | float_nodes quantized_nodes | values const attributes tokens
network    float_network integer_network dynamic_network, put together in reading
"""

from __future__ import annotations

from npquant.interop.onnx_in.reading import decode_onnx, from_onnx

__all__ = ["decode_onnx", "from_onnx"]
