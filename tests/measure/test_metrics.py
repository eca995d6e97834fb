"""Laws of the measures that rank candidates."""

import pytest

from npquant.measure.cost import multiply_accumulates


def test_multiply_accumulates_counts_products() -> None:
    """MACs are the products that the plain loops execute."""
    assert multiply_accumulates(3, (4, 2)) == len([1 for k, n in ((3, 4), (4, 2)) for _ in range(k) for _ in range(n)])
    with pytest.raises(ValueError, match="width"):
        multiply_accumulates(3, (0, 2))
