"""Asks for confirmation before removing something."""

import sys

from nightsafe.cli.output import Output


def confirm(question: str, *, yes: bool, output: Output) -> bool:
    """Whether to proceed: by `--yes` or by an answer at the terminal; UsageError without either."""
    from nightsafe.errors import UsageError

    if yes:
        return True
    if not sys.stdin.isatty() or output.as_json:
        raise UsageError(
            f"{question} There is no terminal to answer at, so nothing was removed. Look with "
            "--dry-run, then run it with --yes."
        )
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    output.note("Nothing was removed.")
    return False
