"""Ways to plug a backend in, one module a way: a Python function, a shared library, a process, files, an ONNX
backend."""
