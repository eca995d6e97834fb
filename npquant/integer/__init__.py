"""The integer networks: one layer, static and dynamic networks, and the fast routes that are proven equal."""
