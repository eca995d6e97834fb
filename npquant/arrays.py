"""The array types that signatures name, one meaning each: by dtype, or by role where a dtype says too little."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
# Real values in the precision that the caller chose: float32 or float64.
Real = NDArray[np.floating[Any]]

Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
# Quantization codes, in whichever integer type their parameters name.
Codes = NDArray[np.integer[Any]]

# True where something is kept, or holds.
Mask = NDArray[np.bool_]
# Positions along one axis, ascending unless said otherwise.
Indices = NDArray[np.int64]
