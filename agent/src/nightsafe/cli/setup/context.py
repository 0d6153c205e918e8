"""What the steps of a set-up share."""

import argparse
from dataclasses import dataclass, field
from typing import Any

from nightsafe.cli.output import Output
from nightsafe.setup.answers import Answers
from nightsafe.setup.questions import Questions


@dataclass
class Context:
    """One set-up: `given` are the answers of a file, None if somebody is asked.

    `done` is what is said of it in the end to programs.
    """

    args: argparse.Namespace
    output: Output
    given: Answers | None
    questions: Questions = field(default_factory=Questions)
    done: dict[str, Any] = field(
        default_factory=lambda: {
            "repository": "",
            "vault": "",
            "kit": None,
            "job": "",
            "next": None,
            "service": "none",
            "first_backup": None,
        }
    )

    def wants(self, answer: bool | None, question: str, *, default: bool = True) -> bool:
        """Return a given answer, or that of whoever is asked."""
        if answer is not None:
            return answer
        return self.questions.confirm(question, default=default)
