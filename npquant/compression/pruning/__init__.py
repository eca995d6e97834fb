"""Fewer neurons, and fewer weights."""
