"""Neurons that leave the arrays: zero, constant, redundant and unimportant ones, and what makes up for them."""
