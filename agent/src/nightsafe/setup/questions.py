"""Asks somebody at a terminal; an answer that will not do is asked for again."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from nightsafe.errors import NightsafeError, UsageError

Answer = TypeVar("Answer")
_YES, _NO = ("y", "yes"), ("n", "no")


class Questions:
    """Asks on standard error, and reads the answers from standard input."""

    def ask(self, question: str, check: Callable[[str], Answer], *, default: str = "") -> Answer:
        """Return what `check` makes of the answer; Enter is the default.

        `check` raises NightsafeError for what will not do, and that is shown.
        """
        shown = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            typed = self._line(shown) or default
            try:
                return check(typed)
            except NightsafeError as error:
                self.say(str(error))

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """Return whether somebody agrees."""
        while True:
            typed = self._line(f"{question} [{'Y/n' if default else 'y/N'}] ").lower()
            if not typed:
                return default
            if typed in (*_YES, *_NO):
                return typed in _YES
            self.say("Answer y or n.")

    def choose(self, question: str, choices: Sequence[str]) -> list[int]:
        """Return which of the choices somebody takes, by their numbers; Enter takes all."""
        for number, choice in enumerate(choices, 1):
            self.say(f"  {number}. {choice}")

        def numbers(typed: str) -> list[int]:
            if typed == "all":
                return list(range(len(choices)))
            words = typed.replace(",", " ").split()
            if not all(word.isdecimal() and 0 < int(word) <= len(choices) for word in words):
                raise UsageError(f"Type numbers from 1 to {len(choices)}, such as: 1 3")
            return sorted({int(word) - 1 for word in words})

        return self.ask(question, numbers, default="all")

    def say(self, text: str = "") -> None:
        """Show a text."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def _line(self, prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)  # noqa: T201
        line = sys.stdin.readline()
        if not line:
            raise UsageError(
                "The answers ended before all was asked. What was done stays; run it again to go "
                "on."
            )
        return line.strip()
