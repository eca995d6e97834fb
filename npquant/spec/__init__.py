"""THE DEFINITIONS: scalars over int and Fraction, one equation a line, no NumPy and no bit tricks.

Read these files to learn what a number means; use ``npquant.kernels`` to compute with arrays. The two never call each
other, so that their agreement (the laws in ``tests/``) is evidence.
"""
