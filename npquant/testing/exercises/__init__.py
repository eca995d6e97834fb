"""The exercises of the book: a reader's function is held against a law, and shown the smallest case where it fails."""

from npquant.testing.exercises.mark import Mark
from npquant.testing.exercises.table import check, exercise_names

__all__ = ["Mark", "check", "exercise_names"]
