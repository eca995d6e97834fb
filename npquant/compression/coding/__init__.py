"""Codes as bytes: packed fields, bitmasks, gaps, and an adaptive arithmetic coder."""
