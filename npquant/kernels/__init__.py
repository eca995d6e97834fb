"""The array twins: rounding, quantization parameters, the affine map, requantization, exact matrix products, tables.

Plain NumPy arrays in and out; each function carries the label of the equation in ``npquant.spec`` that it must equal.
"""
