"""Comparisons: several ways to round, on the same networks and the same rows, their differences paired by seed."""
