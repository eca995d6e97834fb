"""Single weights that become 0: in one shot, by pattern, or while training; and grids that keep them 0."""
