"""What long work tells while it runs: a text, and how much of the work is done where that is known.

A `Told` is a str, so that a callback that takes a text, such as print, stays one.
"""

from __future__ import annotations


class Told(str):
    """A line of progress; share in [0, 1] of the work that it names is done, None if that is not known.

    >>> Told("epoch 5 of 20", 0.25), Told("epoch 5 of 20", 0.25).share
    ('epoch 5 of 20', 0.25)
    """

    share: float | None

    def __new__(cls, text: str, share: float | None = None) -> Told:
        """Make a line that knows its share."""
        told = super().__new__(cls, text)
        told.share = share
        return told
