"""Weights that become zero: which ones, when, and what makes up for them."""
