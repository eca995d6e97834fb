"""Labels at the ends of lines, moved apart so that none covers another."""

from __future__ import annotations


def spread(heights: list[float], least: float) -> list[float]:
    """Move labels apart, upwards from the lowest, so that no two stand closer than `least`; pixels count downwards."""
    order = sorted(range(len(heights)), key=lambda i: -heights[i])
    placed = list(heights)
    for above, below in zip(order[1:], order, strict=False):
        placed[above] = min(placed[above], placed[below] - least)
    return placed
