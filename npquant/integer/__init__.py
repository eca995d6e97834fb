"""The integer networks: one layer, static and dynamic networks, and the fast forms that are proven equal.

mlp.py                 IntegerMLP: `run` takes a fast form, `run_plain` is the definition
layer.py               one layer, and its definition                accumulator.py   why int32 holds every sum (C7, D3)
fast_npquant.py        `run` in npquant's own arithmetic            sparse_product.py   without the zeros of the weights
proven_requantize.py   there: the line that rounds, and its proof   weight_width.py     how many bits a weight has
fast_profiles.py       `run` under any other engine's profile
network_checks.py      what must hold between layers
dynamic_mlp.py         DynamicMLP, of dynamic_layer.py: scales that the inputs choose
"""
