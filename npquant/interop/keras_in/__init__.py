"""Keras, without Keras: what a model is (architecture), which numbers are whose (weights), what it computes (layers).

Both of its formats, `.keras` (Keras 3, and late Keras 2) and `.h5` (Keras 2 and 3), end in the same chain of layers.
"""

from npquant.interop.keras_in.reading import decode_keras, from_keras

__all__ = ["decode_keras", "from_keras"]
