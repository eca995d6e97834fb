"""Who computes so: the arithmetic behind codes that somebody has, and inputs that settle it."""
