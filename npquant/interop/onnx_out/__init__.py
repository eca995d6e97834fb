"""ONNX, written: a graph byte by byte, and a float, an integer and a dynamic network as one.

graph          nodes, tensors and a model, as the bytes of their messages
float_graph    FloatMLP: Gemm and activations
integer_graph  IntegerMLP: QDQ and QOperator
dynamic_graph  DynamicMLP: its own arithmetic in standard operators
to_onnx        the door
"""
