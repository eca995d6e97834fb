"""The parser of every command: no abbreviations, the nearest name for a mistyped one, the commands listed by task.

Legend: tasks the headings, in the order of a user's journey, each with the names of its commands.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser that takes no abbreviated options, and names the nearest option or command to a mistyped one.

    An abbreviation changes its meaning with the next option that is added.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is not known where the parser that does not know it can say what it does know."""
        self.allow_abbrev = False
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown)
        return options, unknown

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        names = [name for action in self._actions for name in action.option_strings]
        told = (nearest(text.partition("=")[0], names) for text in unknown if text.startswith("-"))
        self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(told)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += nearest(str(value), map(str, action.choices or ()))
            raise


def nearest(typed: str, names: Iterable[str]) -> str:
    """Say which of names was meant by what was typed, where one is near.

    >>> nearest("--bit", ["--bits", "--seed"]), nearest("--x", ["--bits"])
    ('; did you mean --bits?', '')
    """
    near = get_close_matches(typed, list(names), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def list_by_task(commands: argparse._SubParsersAction[Any], tasks: Mapping[str, Sequence[str]]) -> str:
    """List commands under their tasks, one line each, in place of argparse's own list; KeyError if one has no help."""
    helps = {action.dest: action.help for action in commands._choices_actions}
    lines = []
    for task, names in tasks.items():
        lines += [f"{task}:", *(f"  {name:<10}{helps.pop(name)}" for name in names)]
    if helps:
        raise KeyError(f"{', '.join(helps)}: under which task?")
    commands._choices_actions.clear()
    return "\n".join(lines)
