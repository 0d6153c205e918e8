"""An argument parser that accepts options and operands in any order, as restic does.

`argparse` gives everything before the first option to positionals that take several values, and
then rejects those after it.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
"""What `argparse` considers a negative number instead of an option."""


class VerbParser(argparse.ArgumentParser):
    """A parser that moves options before operands, and then parses.

    One that has subcommands of its own leaves the order to them.
    """

    def parse_known_args(  # type: ignore[override]  # its overloads differ in the namespace alone
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Like the base class, but in whatever order options and operands are given."""
        if args is not None and self._subparsers is None:
            actions = {name: action for action in self._actions for name in action.option_strings}
            args = options_first(args, actions)
        return super().parse_known_args(args, namespace)


def non_empty(text: str) -> str:
    """Reject an empty text, such as that of an unset shell variable; for `type=`."""
    if text.strip():
        return text
    raise argparse.ArgumentTypeError("it is given, but empty: perhaps a variable is not set")


def whole_number(least: int, most: int = 0) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` to `most`, if given; for `type=`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most and number > most):
            to = f"to {most}" if most else "on"
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} {to}")
        return number

    return read


def options_first(args: Sequence[str], actions: Mapping[str, argparse.Action]) -> list[str]:
    """Reorder arguments: first options with their values, then operands, in their order.

    `actions` maps each option's names; an option takes one value or none. Everything after `--` is
    an operand. Unknown or ambiguous options stay in front, for `argparse` to reject.
    """
    options: list[str] = []
    others: list[str] = []
    at, lacks_value = 0, False
    while at < len(args):
        arg = args[at]
        at += 1
        if arg == "--":
            others += args[at:]
            break
        if not _is_option(arg, actions):
            others.append(arg)
            continue
        options.append(arg)
        lacks_value = _lacks_value(arg, actions)
        if lacks_value and at < len(args) and not _is_option(args[at], actions):
            options.append(args[at])
            at, lacks_value = at + 1, False
    # Only if needed: error messages show remaining arguments in this form.
    ends = ["--"] if lacks_value or any(other.startswith("-") for other in others) else []
    return [*options, *ends, *others]


def _is_option(arg: str, actions: Mapping[str, argparse.Action]) -> bool:
    if not arg.startswith("-") or arg == "-":
        return False
    if arg == "--" or _names(arg, actions):
        return True
    return _NUMBER.fullmatch(arg) is None and " " not in arg


def _names(arg: str, actions: Mapping[str, argparse.Action]) -> list[str]:
    """Return the options that an argument may mean: by name, prefix or, if short, letter."""
    if not arg.startswith("--"):
        return [name for name in (arg[:2],) if name in actions]
    name = arg.partition("=")[0]
    if name in actions:
        return [name]
    return [one for one in actions if one.startswith(name)]


def _lacks_value(arg: str, actions: Mapping[str, argparse.Action]) -> bool:
    """Whether an option takes a value that is not part of the argument itself."""
    names = _names(arg, actions)
    if len(names) != 1:
        return False
    if arg.startswith("--"):
        return actions[names[0]].nargs is None and "=" not in arg
    # Letters may be combined, up to the first one that takes the rest as its value.
    for index, letter in enumerate(arg[1:], 1):
        action = actions.get("-" + letter)
        if action is None:
            return False
        if action.nargs is None:
            return index == len(arg) - 1
    return False
