"""`python -m tests.support.commands`: the operator's commands, one after the other in one process.

Each line read is a command's arguments in JSON, each line written is what came of it. To start a
process for each takes a second and a half, and most tests over the wire want a customer or two.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TextIO

import django
from django.core.management import call_command
from django.db import connections

from backup_service.env import BASE_DIR


class Commands:
    """Such a process, for the tests; it starts when it is first asked."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> str:
        """Return what a command prints; raises AssertionError with what went wrong."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.commands"],
                cwd=BASE_DIR,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(arguments), file=stdin, flush=True)
        answer = json.loads(stdout.readline())
        assert "error" not in answer, answer
        return str(answer["out"])

    def close(self) -> None:
        """End it: nobody asks any more."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def main(given: TextIO, answers: TextIO) -> None:
    """Run what is asked for until nobody asks any more."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
    django.setup()
    for line in given:
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                call_command(*json.loads(line))
            answer = {"out": out.getvalue()}
        except (Exception, SystemExit) as error:  # for who asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            connections.close_all()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
