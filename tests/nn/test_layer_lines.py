"""What print(network) shows."""

from typing import Any

import numpy as np

import npquant


def networks() -> Any:
    """One network of each kind, wide enough for figures of many digits."""
    rng = np.random.default_rng(0)
    sizes = (5000, 300, 4)
    layers = [
        npquant.DenseLayer(rng.normal(0, 0.1, (k, n)), np.zeros(n), name)
        for k, n, name in zip(sizes, sizes[1:], ("clipped_relu", "identity"), strict=False)
    ]
    net = npquant.FloatMLP(layers)
    x = rng.normal(size=(20, 5000))
    return net, npquant.quantize_uniform(net, x, rng=0), npquant.quantize_dynamic(net, x)


def test_print_of_a_network_is_one_line_a_layer() -> None:
    """Title, heading, one aligned line a layer, at most 100 columns; the repr is one short line without arrays."""
    for net in networks():
        title, heading, *lines = str(net).splitlines()
        assert title.startswith(type(net).__name__)
        assert [line.split()[0] for line in lines] == ["0", "1"]
        assert {len(line) for line in (heading, *lines)} == {len(heading)} and len(heading) <= 100
        assert "5000 -> 300" in lines[0] and "1,500,000" in lines[0] and "identity" in lines[1]
        assert type(net).__name__ in repr(net) and "5000-300-4" in repr(net) and len(repr(net)) <= 100
