"""From float to integer: calibration, uniform and rectified quantization, pruning, packing, and the budget search."""
