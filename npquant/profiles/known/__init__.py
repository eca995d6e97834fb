"""The cells of the records: how each operator of each engine is known, one module a family of engines.

tflite.py, xnnpack.py, onnx.py, torch.py, compilers.py, hardware.py, ncnn.py and mnn.py stand beside the modules of
those names.
"""
