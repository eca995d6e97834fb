"""Integers to bytes and back: packed fields, bitmasks, gaps, an adaptive arithmetic coder. It knows no network."""
