"""Figures about a network: what it answers on rows, how two of them differ, what it costs."""
