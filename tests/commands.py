"""`python -m tests.commands`: the operator's commands, one after the other in one process.

Each line read is a command's arguments in JSON, each line written is what came of it. To start a
process for each takes a second and a half, and most tests over the wire want a customer or two.
"""

import contextlib
import io
import json
import os
import sys
from typing import TextIO

import django
from django.core.management import call_command
from django.db import connections


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
        except Exception as error:  # for who asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            connections.close_all()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
