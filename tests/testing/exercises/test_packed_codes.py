"""The exercise on two codes in a byte: arithmetic passes where npquant packs bits; forgotten masks do not."""

from npquant.testing.exercises import check


def test_pack_two_passes_arithmetic() -> None:
    """Two's complement is the remainder by 16."""
    assert check("pack_two", lambda first, second: first % 16 + 16 * (second % 16)).right


def test_pack_two_kills_what_everybody_writes() -> None:
    """A negative code sets more bits than its own; the halves have an order."""
    unmasked = check("pack_two", lambda first, second: first | second << 4)
    assert unmasked.words == "(0, -1) should give 240, and gives -16"
    assert not check("pack_two", lambda first, second: (first & 15) << 4 | second & 15).right
