"""The colours of the report page, for the book: its palette, and the classes that a drawing's marks carry."""

from __future__ import annotations

import re
from importlib import resources
from types import MappingProxyType
from typing import Final

_SHEET: Final = (resources.files("npquant.report.page") / "page.css").read_text(encoding="utf-8")
LIGHT, DARK = (text.replace("\n", "") for text in re.findall(r":root\{(?:color-scheme:light dark;)?([^}]*)\}", _SHEET))


def _marks() -> str:
    """Return the rules of fills, strokes and type, each for marks inside a picture alone."""
    # `.name{...}` alone at a rule's start: the first of a name is its colour or size, the others are a phone's.
    rules = dict(reversed(re.findall(r"(?<=[}\n])\.([\w-]+)\{([^}]*)\}", _SHEET)))
    kinds = ("fill", "stroke", "text-anchor", "paint-order")
    kept = {n: rule for n, rule in rules.items() if rule.startswith(kinds) or re.fullmatch(r"t\d+|b", n)}
    return "".join(f".plate .{name}{{{rule}}}" for name, rule in sorted(kept.items()))


MARKS: Final = _marks()


# What furo calls a colour or face, by the palette's names: those turn with the theme, so one table serves both grounds.
FURO: Final = MappingProxyType(
    {
        "font-stack": '-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif',
        "font-stack--monospace": 'ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace',
        "font-stack--headings": 'Charter,"Iowan Old Style",Georgia,"Noto Serif","Liberation Serif",serif',
        "color-foreground-primary": "var(--ink2)",
        "color-foreground-secondary": "var(--mut)",
        "color-foreground-muted": "var(--mut)",
        "color-foreground-border": "var(--ln)",
        "color-background-primary": "var(--bg)",
        "color-background-secondary": "var(--panel)",
        "color-background-hover": "var(--grid)",
        "color-background-border": "var(--rule)",
        "color-brand-primary": "var(--blue)",
        "color-brand-content": "var(--blue)",
        "color-brand-visited": "var(--blue)",
        "color-inline-code-background": "var(--panel)",
        "color-code-background": "var(--panel)",
        "color-code-foreground": "var(--ink)",
        "color-api-name": "var(--ink)",
        "color-api-pre-name": "var(--mut)",
        "color-highlight-on-target": "var(--bluef)",
    }
)
