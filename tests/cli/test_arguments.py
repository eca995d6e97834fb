"""How values between commas are read."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.cli.arguments import activation_bits, add_data, add_inputs, duration, pattern, rates, weight_bits, widths
from npquant.compression.chain.input_choice import INPUTS
from npquant.data.missing import WAYS

LISTS = st.lists(st.integers(-99, 99), min_size=1, max_size=5)


@given(LISTS)
def test_lists_are_read_as_written(values: list[int]) -> None:
    """One value stands for itself, several make a tuple in their order; spaces do not matter."""
    text = ", ".join(map(str, values))
    expected = values[0] if len(values) == 1 else tuple(values)
    assert weight_bits(text) == activation_bits(text) == rates(text) == expected
    assert widths(text) == tuple(values)


@given(st.integers(), st.integers())
def test_pattern_is_read_as_written(n: int, m: int) -> None:
    """N:M gives (N, M), whatever the numbers: their order is checked where they are used."""
    assert pattern(f"{n}:{m}") == (n, m)


@given(st.integers(1, 9999), st.sampled_from([("", 1), ("s", 1), ("m", 60), ("h", 3600)]))
def test_duration_is_read_in_seconds(number: int, unit: tuple[str, int]) -> None:
    """A number alone is seconds; s, m and h stand for what they stand for everywhere."""
    assert duration(f"{number}{unit[0]}") == number * unit[1]


@pytest.mark.parametrize("text", ["", "s", "m", "5 days", "5d", "1:30", "5M", "inf", "nan", "1h30m"])
def test_duration_refuses_what_is_no_time(text: str) -> None:
    """Nonsense is a usage error that shows how times are written."""
    with pytest.raises(ArgumentTypeError, match="90s, 5m or 1h"):
        duration(text)


def test_weight_bits_take_ternary_among_numbers() -> None:
    """The word stands for itself, alone or by layer."""
    assert weight_bits("ternary") == "ternary"
    assert weight_bits("8,ternary,2") == (8, "ternary", 2)


@pytest.mark.parametrize("read", [weight_bits, activation_bits, rates, widths, pattern])
@pytest.mark.parametrize("text", ["x", "4,x", "4;4", "binary", "2:4:8", "1.5.1"])
def test_nonsense_is_a_usage_error(read: Callable[[str], object], text: str) -> None:
    """What is no number raises what argparse turns into a usage error, and the message quotes it."""
    with pytest.raises(ArgumentTypeError, match=r"is not a"):
        read(text)


def test_add_inputs_and_add_data_know_all_names() -> None:
    """The choices listed for the help are those of the rooms that act on them."""
    parser = ArgumentParser()
    add_inputs(parser)
    add_data(parser, "none")
    choices = {action.dest: action.choices for action in parser._actions if action.choices is not None}
    assert choices == {"inputs": INPUTS, "missing": WAYS}
