"""Layer by layer: what a layer is given, what it must deliver, and the integer codes around it."""
