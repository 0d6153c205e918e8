"""`manage.py scrub`: read stored bytes again and mark what is damaged."""

import dataclasses
from argparse import ArgumentParser
from typing import Any

from storage import scrub
from storage.management.operator import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Read back the copies that are due, or with --all every copy. With --all a region that "
        "is not there counts as empty; `repair` then fills it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--all", action="store_true")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        findings = scrub.scrub_all() if options["all"] else scrub.scrub_due(byte_budget=1 << 60)
        return dataclasses.asdict(findings)
