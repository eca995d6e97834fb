"""The case classes, one module a class: what can go wrong in a kernel, from the plainest to the strangest.

Each module has NAME, one line SUBJECT, and two generators. `lattice(profile, can)` yields a fixed corner lattice,
from small to complex, the same at every call. `draw(profile, can, rng)` yields cases without end. Both yield only
cases that the profile's engine takes (or that must be rejected), and the first few of a lattice are those that kill
most."""
