"""An argument parser that takes options and operands in any order, as restic does.

`argparse` alone gives what stands before the first option to all positionals that may be several,
and knows no place for what comes after it.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
"""What `argparse` takes for a negative number, and so for no option."""


class VerbParser(argparse.ArgumentParser):
    """A parser that puts options first, and then all that is none, before it parses."""

    def parse_known_args(  # type: ignore[override]  # its overloads differ in the namespace alone
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As the base class does, whatever the order in which options and others stand."""
        if args is not None:
            actions = {name: action for action in self._actions for name in action.option_strings}
            args = options_first(args, actions)
        return super().parse_known_args(args, namespace)


def filled(text: str) -> str:
    """A text that is not empty, as that of an unset variable of a shell is; for `type=`."""
    if text.strip():
        return text
    raise argparse.ArgumentTypeError("it is given, but empty: perhaps a variable is not set")


def whole(least: int, most: int = 0) -> Callable[[str], int]:
    """What reads whole numbers from `least` to `most`, or any from `least` on; for `type=`."""

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
    """The same arguments: first options with their values, then the others, in their order.

    `actions` has each option's names; an option takes one value or none. What follows `--` is no
    option. What is unknown or ambiguous stays among the options, for `argparse` to refuse.
    """
    options: list[str] = []
    others: list[str] = []
    at, is_lacking = 0, False
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
        is_lacking = _lacks_value(arg, actions)
        if is_lacking and at < len(args) and not _is_option(args[at], actions):
            options.append(args[at])
            at, is_lacking = at + 1, False
    # Only where it is needed: what is left over is shown as it stands here.
    ends = ["--"] if is_lacking or any(other.startswith("-") for other in others) else []
    return [*options, *ends, *others]


def _is_option(arg: str, actions: Mapping[str, argparse.Action]) -> bool:
    if not arg.startswith("-") or arg == "-":
        return False
    if arg == "--" or _names(arg, actions):
        return True
    return _NUMBER.fullmatch(arg) is None and " " not in arg


def _names(arg: str, actions: Mapping[str, argparse.Action]) -> list[str]:
    """The options that an argument may mean: by name, by its beginning or, if short, by letter."""
    if not arg.startswith("--"):
        return [name for name in (arg[:2],) if name in actions]
    name = arg.partition("=")[0]
    if name in actions:
        return [name]
    return [one for one in actions if one.startswith(name)]


def _lacks_value(arg: str, actions: Mapping[str, argparse.Action]) -> bool:
    """Whether an option takes a value, which is not in the argument itself."""
    names = _names(arg, actions)
    if len(names) != 1:
        return False
    if arg.startswith("--"):
        return actions[names[0]].nargs is None and "=" not in arg
    # Letters may stand together, up to the first that takes the rest for its value.
    for place, letter in enumerate(arg[1:], 1):
        action = actions.get("-" + letter)
        if action is None:
            return False
        if action.nargs is None:
            return place == len(arg) - 1
    return False
