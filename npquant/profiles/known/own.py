"""How npquant's own operators are known: they are definitions, and laws hold array code to exact rationals.

Legend: a cell names the definition and the law.
"""

from __future__ import annotations

from npquant.profiles.knowledge import Knowledge, Known

NPQUANT = Knowledge(
    linear=Known("defined", "R9, R6 and R10, npquant/spec/linear.py", test="tests/kernels/test_equals_spec.py"),
    wide=Known("defined", "R9, R6 and R10, with an int32 bias", test="tests/integer/test_kinds.py"),
    requantize=Known("defined", "R6, npquant/spec/requantize.py", test="tests/kernels/test_equals_spec.py"),
    quantize=Known("defined", "R1, npquant/spec/affine.py", test="tests/kernels/test_affine.py"),
    dequantize=Known("defined", "R2, npquant/spec/affine.py", test="tests/kernels/test_affine.py"),
    codes_to_codes=Known("absent in the engine", "its networks hold a table in its place"),
    bias=Known("defined", "R39, npquant/spec/bias.py", test="tests/kernels/test_bias.py"),
    activations=Known("absent in the engine", "its networks hold a table in their place"),
    softmax=Known("absent in the engine", "its networks end in codes of logits"),
    dynamic=Known("absent here", "its dynamic layers are DynamicMLP's, and answer there"),
)
