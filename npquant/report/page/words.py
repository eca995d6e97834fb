"""How the page writes numbers and things.

Legend: count a whole number; value any number; digits that a number keeps; noun and plural the names of one and of
more; seconds a time; report the whole.
"""

from __future__ import annotations

from typing import Any, Final

_SMALL: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
MINUS: Final = "\N{MINUS SIGN}"
TIMES: Final = "\N{MULTIPLICATION SIGN}"
ARROW: Final = "\N{RIGHTWARDS ARROW}"


def whole(count: int) -> str:
    """Write a whole number with commas and a true minus.

    >>> whole(28280), whole(-3)
    ('28,280', '−3')
    """
    return f"{count:,}".replace("-", MINUS)


def spelled(count: int) -> str:
    """Write a whole number in a sentence: as a word up to twelve.

    >>> spelled(0), spelled(2), spelled(13)
    ('no', 'two', '13')
    """
    return _SMALL[count] if 0 <= count < len(_SMALL) else whole(count)


def spelled_rows(count: int, noun: str, plural: str) -> str:
    """Write a number of things in a sentence.

    >>> spelled_rows(1, "digit", "digits"), spelled_rows(14, "row", "rows")
    ('one digit', '14 rows')
    """
    return f"{spelled(count)} {noun if count == 1 else plural}"


def decimal(value: float, digits: int = 2) -> str:
    """Write a number with so many decimals and a true minus, never minus zero.

    >>> decimal(-1.076), decimal(-0.001), decimal(1234.5, 0)
    ('−1.08', '0.00', '1,234')
    """
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", MINUS)


def figures(value: float, digits: int = 2) -> str:
    """Write a number with so many significant digits.

    >>> figures(0.03125), figures(-0.65), figures(12.0), figures(1234.5)
    ('0.031', '−0.65', '12', '1,200')
    """
    rounded = float(f"{value:.{digits}g}")
    text = f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) and rounded == int(rounded) else f"{rounded:g}"
    return text.replace("-", MINUS)


def probability(p: float) -> str:
    """Write the p of a test.

    >>> probability(1.0), probability(0.0312), probability(0.00001)
    ('p = 1', 'p = 0.031', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 0.0001 else f"p = {figures(p)}"


def times(ratio: float) -> str:
    """Write a ratio as a headline has it: whole from ten on.

    >>> times(18.24), times(4.62), times(1.0)
    ('18', '4.6', '1')
    """
    return f"{ratio:,.0f}" if ratio >= 10 else figures(ratio)


def duration(seconds: float) -> str:
    """Write the seconds of a step.

    >>> duration(0.004), duration(7.04), duration(75.0)
    ('< 0.01 s', '7.04 s', '1 min 15 s')
    """
    if seconds < 0.01:
        return "< 0.01 s"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes:,} min {left} s"


def short_duration(seconds: float) -> tuple[str, str]:
    """Write the time of a row, and its unit.

    >>> short_duration(41e-6), short_duration(0.012), short_duration(8e-7)
    (('41', 'µs'), ('12', 'ms'), ('0.80', 'µs'))
    """
    scaled, unit = (seconds * 1e6, "µs") if seconds < 0.01 else (seconds * 1e3, "ms")
    return (f"{scaled:,.0f}" if scaled >= 10 else f"{scaled:.2g}" if scaled >= 1 else f"{scaled:.2f}"), unit


def listed(words: list[str]) -> str:
    """Write words as a sentence has them.

    >>> listed(["one"]), listed(["one", "two", "three"])
    ('one', 'one, two and three')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1] if words else "")))


def is_real(report: dict[str, Any]) -> bool:
    """Say whether the targets are real numbers, not classes."""
    return bool(report["data"]["kind"] == "real")


def nouns(report: dict[str, Any]) -> tuple[str, str]:
    """Name what a row is, one and more: digits, of the bundled set.

    >>> nouns({"config": {"data": None}}), nouns({"config": {"data": "iris.csv"}})
    (('digit', 'digits'), ('row', 'rows'))
    """
    return ("digit", "digits") if report["config"]["data"] is None else ("row", "rows")


def widths(report: dict[str, Any]) -> str:
    """Name the integers that weights became.

    >>> widths({"budget": {"thresholds": {"bits": [3, 3]}}}), widths({"budget": {"thresholds": {"bits": [2, 4]}}})
    ('3-bit integers', '2- to 4-bit integers')
    >>> widths({"budget": {"thresholds": {"bits": ["ternary", 3]}}})
    'ternary and 3-bit integers'
    """
    bits = report["budget"]["thresholds"]["bits"]
    known = sorted({width for width in bits if width != "ternary"})
    named = [f"{known[0]}-bit" if len(known) == 1 else f"{known[0]}- to {known[-1]}-bit"] if known else []
    return " and ".join([*(["ternary"] if "ternary" in bits else []), *named]) + " integers"


def network(report: dict[str, Any]) -> str:
    """Name the integer network in a label: by its width, where there is one.

    >>> network({"budget": {"thresholds": {"bits": [3, 3]}}}), network({"budget": {"thresholds": {"bits": [2, 4]}}})
    ('3 bits', 'integers')
    """
    bits = set(report["budget"]["thresholds"]["bits"])
    only = next(iter(bits)) if len(bits) == 1 else ""
    return "integers" if only == "" else "ternary" if only == "ternary" else f"{only} bits"
