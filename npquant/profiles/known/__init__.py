"""The cells of the records: how each operator of each engine is known, one module a family of engines.

tflite.py, xnnpack.py, onnx.py, torch.py, compilers.py and hardware.py stand beside the records' modules of those names.
"""
