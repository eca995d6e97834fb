"""How MNN's operators are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from npquant.profiles.knowledge import Knowledge, Known

_TEST = "tests/peers/test_mnn.py"
_WHEEL = "MNN 3.6.1 on x86"
_NOT_STUDIED = Known("absent here", "not studied")

MNN = Knowledge(
    linear=Known("run", _WHEEL, 812_135, _TEST),
    wide=Known("absent in the engine", "its codes have 8 bits"),
    requantize=Known("run", _WHEEL + ", as a layer whose weights sum to 0", 49_152, _TEST),
    quantize=Known("run", _WHEEL, 205_370, _TEST),
    dequantize=Known("run", _WHEEL, 67_576, _TEST),
    codes_to_codes=_NOT_STUDIED,
    bias=Known("run", _WHEEL + ", in the layer", 812_135, _TEST),
    activations=_NOT_STUDIED,
    softmax=_NOT_STUDIED,
    dynamic=Known("absent here", "two rows or more are quantized row by row; of one row the rule is not known"),
)
