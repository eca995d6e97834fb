"""From a failure to its reason: the smallest case, its stages, its pattern, and the known mistake that it is."""
