"""The requantization rules as C functions, one text a rule; NAME stands for the program's name.

Legend: rule, wraps: whether the function must reduce what leaves int32 on the way, since no proof excludes it. Every
function takes (acc, m, l or none, s) and returns steps as int64_t; what it relies on stands in its comments.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from npquant.interop.c99.requantization import WIDE_RULES

_FLOOR: Final = """\
/* floor(v / 2^s). What >> makes of a negative number is the compiler's choice; ~v is not negative. */
static int64_t NAME_floor(int64_t v, int32_t s)
{
    return v < 0 ? ~(~v >> s) : v >> s;
}
"""

_WRAP: Final = """\
/* v modulo 2^32, in [-2^31, 2^31): a cast to uint32_t reduces, one to int32_t would be the compiler's choice. */
static int64_t NAME_wrap32(int64_t v)
{
    const uint32_t u = (uint32_t)v;
    return u > 2147483647u ? (int64_t)u - 4294967296 : (int64_t)u;
}
"""

_HALF_EVEN: Final = """\
/* v / 2^s to nearest, ties to even; v < 2^62, 0 < s < 64. */
static uint64_t NAME_half_even(uint64_t v, int32_t s)
{
    const uint64_t half = (uint64_t)1 << (s - 1);
    const uint64_t whole = v >> s;
    return whole + (uint64_t)((v & (half + half - 1u)) > half - (whole & 1u));
}
"""

_SIGNIFICANT: Final = """\
/* v rounded to 24 significant bits, ties to even: what float32 keeps of it. */
static uint64_t NAME_float24(uint64_t v)
{
    int32_t s = 0;
    while ((v >> s) > 16777215u) {
        s++;
    }
    return s == 0 ? v : NAME_half_even(v, s) << s;
}
"""

_FIXED: Final = MappingProxyType(
    {
        "single": (
            "round_half_up(acc m / 2^s)",
            "|acc m| <= 2^62 and half a step <= 2^61: below 2^63",
            "    return NAME_floor((int64_t)acc * m + ((int64_t)1 << (s - 1)), s);\n",
        ),
        "single64": (
            "round_half_up(acc m / 2^s)",
            "|acc| < 2^47 and m < 2^15 are proven, and half a step <= 2^45: below 2^63",
            "    return NAME_floor(acc * m + ((int64_t)1 << (s - 1)), s);\n",
        ),
        "wide": (
            "round_half_up(h / 2^s), h = floor(acc m / 2^16) = a1 m + floor(a0 m / 2^16), acc = 2^16 a1 + a0",
            "|acc| < 2^47 is proven: |a1 m| <= 2^62, 0 <= a0 m < 2^47, and half a step <= 2^45: below 2^63",
            "    const int64_t low = acc - NAME_floor(acc, 16) * 65536;\n"
            "    const int64_t h = NAME_floor(acc, 16) * m + NAME_floor(low * m, 16);\n"
            "    return NAME_floor(h + ((int64_t)1 << (s - 1)), s);\n",
        ),
        "away": (
            "acc m / 2^s to nearest, ties away from zero",
            "|acc m| <= 2^62 and half a step <= 2^61: below 2^63",
            "    const int64_t v = (int64_t)acc * m;\n"
            "    return NAME_floor(v + ((int64_t)1 << (s - 1)) - (v < 0), s);\n",
        ),
    }
)

_DOUBLE: Final = MappingProxyType(
    {
        "double_away": (
            "h / 2^s to nearest, ties away from zero; h = round_half_up(acc 2^l m / 2^31)",
            " + 1073741824",
            "    return NAME_floor(h + (((int64_t)1 << s) >> 1) - (h < 0 && s > 0), s);\n",
        ),
        "double_up": (
            "round_half_up(h / 2^s); h = round_half_up(acc 2^l m / 2^31)",
            " + 1073741824",
            "    return NAME_floor(h + (((int64_t)1 << s) >> 1), s);\n",
        ),
        "floor_up": (
            "round_half_up(h / 2^s); h = floor(acc 2^l m / 2^31)",
            "",
            "    return NAME_floor(h + (((int64_t)1 << s) >> 1), s);\n",
        ),
    }
)

_FLOAT32: Final = """\
/* round_half_even(f32(f32(acc) m / 2^s)), m of 24 bits: the float32 arithmetic of the engine, in integers.
   acc has 24 significant bits and magnitude <= 2^31, so a product is below 2^56. Below float32's normal numbers the
   result is 0 either way. */
static int64_t NAME_float32(int32_t acc, int32_t m, int32_t s)
{
    const uint64_t a = NAME_float24((uint64_t)(acc < 0 ? -(int64_t)acc : (int64_t)acc));
    const int64_t v = (int64_t)NAME_half_even(NAME_float24(a * (uint64_t)m), s);
    return acc < 0 ? -v : v;
}
"""

_FLOAT64: Final = """\
/* f64(acc m / 2^s) to nearest, ties away from zero, m of 53 bits: the float64 arithmetic of the engine, in integers. */
static int64_t NAME_float64(int32_t acc, int64_t m, int32_t s)
{
    const uint64_t a = (uint64_t)(acc < 0 ? -(int64_t)acc : (int64_t)acc);
    /* |acc m| = high 2^32 + low: a <= 2^31 and m < 2^53, so high < 2^53. */
    const uint64_t t = a * ((uint64_t)m & 4294967295u);
    const uint64_t high = a * ((uint64_t)m >> 32) + (t >> 32);
    const uint64_t low = t & 4294967295u;
    uint64_t v;
    int32_t x = 0;
    /* Of more than 53 bits the last x are rounded off, ties to even; they all lie in low. */
    while ((high >> x) > 2097151u) {
        x++;
    }
    v = high << (32 - x) | low >> x;
    if (x > 0) {
        const uint64_t half = (uint64_t)1 << (x - 1);
        v += (uint64_t)((low & (half + half - 1u)) > half - (v & 1u));
    }
    s -= x; /* 1 <= s: x is 32 at most. v <= 2^53, so that 55 places leave 0, as any more do. */
    s = s > 55 ? 55 : s;
    v = (v + ((uint64_t)1 << (s - 1))) >> s;
    return acc < 0 ? -(int64_t)v : (int64_t)v;
}
"""


def rule_source(rules: frozenset[tuple[str, bool]]) -> str:
    """Return the functions that a program needs for its (rule, wraps) pairs, each once, callees first.

    >>> rule_source(frozenset({("single", False)})).count("static")
    2
    """
    names = {rule for rule, _ in rules}
    parts = []
    if names & {*_FIXED, *_DOUBLE}:
        parts.append(_FLOOR)
    if any(wraps for _, wraps in rules):
        parts.append(_WRAP)
    if "float32" in names:
        parts += [_HALF_EVEN, _SIGNIFICANT, _FLOAT32]
    if "float64" in names:
        parts.append(_FLOAT64)
    for name in sorted(names & set(_FIXED)):
        what, why, body = _FIXED[name]
        head = f"static int64_t NAME_{name}({'int64_t' if name in WIDE_RULES else 'int32_t'} acc, int32_t m, int32_t s)"
        parts.append(f"/* {what}. {why}. */\n{head}\n{{\n{body}}}\n")
    for name in sorted(names & set(_DOUBLE)):
        parts.append(_double(name, (name, True) in rules))
    return "\n".join(parts)


def _double(name: str, wraps: bool) -> str:
    what, half, body = _DOUBLE[name]
    left = "(int64_t)acc * ((int64_t)1 << l)"
    why = "acc 2^l leaves int32 for large acc, and wraps" if wraps else "acc 2^l is proven to stay inside int32"
    left = f"NAME_wrap32({left})" if wraps else left
    return (
        f"/* {what}.\n   {why}; m > 0, so that the product stays below 2^62. */\n"
        f"static int64_t NAME_{name}(int32_t acc, int32_t m, int32_t l, int32_t s)\n"
        f"{{\n    const int64_t h = NAME_floor({left} * m{half}, 31);\n{body}}}\n"
    )
