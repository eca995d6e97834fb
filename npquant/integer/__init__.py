"""The integer networks: one layer, static and dynamic networks, and the fast forms that are proven equal.

mlp.py                 IntegerMLP: `run` takes a fast form, `run_plain` is the definition
layer.py               one layer, and its definition
accumulator.py         why int32 holds every sum: C7 and D3, with their proofs
fast_npquant.py        the fast form in npquant's own arithmetic
proven_requantize.py   its line that rounds an accumulator, and the proof of it
sparse_product.py      its product without the zeros of the weights
fast_profiles.py       the fast form under any other engine's profile
dynamic_mlp.py         DynamicMLP, of dynamic_layer.py: scales that the inputs choose
weight_width.py        how many bits a weight has
network_checks.py      what must hold between layers and at the door
"""
