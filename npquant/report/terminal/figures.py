"""How numbers are written on the page.

Legend: share in [0, 1]; p of a paired test; kl in nats; value in decibels; before and after two counts of a unit;
seconds a time; count of things of a kind; words to be listed.
"""

from __future__ import annotations

from collections.abc import Sequence


def percent(share: float) -> str:
    """Write a share in [0, 1] as a number of per cents, without the sign.

    >>> percent(0.98141)
    '98.14'
    """
    return f"{100 * share:.2f}"


def p_value(p: float) -> str:
    """Write the p of a test, with its letter.

    >>> p_value(0.625), p_value(1e-9)
    ('p = 0.6250', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def nats(kl: float) -> str:
    """Write a divergence (M2) in nats.

    >>> nats(0.01365), nats(123456.0)
    ('0.01365', '1.23e+05')
    """
    return f"{kl:.5f}" if kl < 1000 else f"{kl:.3g}"


def decibels(value: float | None) -> str:
    """Write a signal-to-noise ratio; of outputs that are equal it is infinite, and a report holds None.

    >>> decibels(24.31), decibels(None)
    ('24.3', 'exact')
    """
    return "exact" if value is None else f"{value:.1f}"


def change(before: int, after: int, unit: str) -> str:
    """Write two numbers of something, and how many times the first is the second.

    >>> change(28397, 1593, "bytes"), change(4, 4, "MACs"), change(4, 8, "bytes")
    ('28,397 -> 1,593 bytes (17.8x less)', '4 -> 4 MACs (as before)', '4 -> 8 bytes (2.0x more)')
    """
    told = "as before" if before == after else "none left" if after == 0 else ""
    if not told:
        told = f"{before / after:.1f}x less" if after < before or before == 0 else f"{after / before:.1f}x more"
    return f"{before:,} -> {after:,} {unit} ({told})"


def elapsed(seconds: float) -> str:
    """Write the time that work took.

    >>> elapsed(0.018), elapsed(75.0)
    ('0.02 s', '1 min 15 s')
    """
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def short_time(seconds: float | None) -> str:
    """Write the time that a row or a batch takes; a dash where none was taken.

    >>> short_time(2e-6), short_time(9.3e-3), short_time(0.5), short_time(None)
    ('2,000 ns', '9,300 us', '500.0 ms', '-')
    """
    if seconds is None:
        return "-"
    if seconds < 1e-5:
        return f"{1e9 * seconds:,.0f} ns"
    return f"{1e6 * seconds:,.0f} us" if seconds < 1e-2 else f"{1e3 * seconds:,.1f} ms"


def rows(count: int, kind: str = "row") -> str:
    """Write a number of things.

    >>> rows(1), rows(1797), rows(0, "neuron")
    ('1 row', '1,797 rows', '0 neurons')
    """
    return f"{count:,} {kind}{'s' * (count != 1)}"


def listed(words: Sequence[str]) -> str:
    """Write words as a sentence has them.

    >>> listed(["one"]), listed(["one", "two", "three"])
    ('one', 'one, two and three')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1] if words else "")))
