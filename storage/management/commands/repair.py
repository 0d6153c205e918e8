"""`manage.py repair`: replace corrupt and missing replicas, now."""

import dataclasses
import sys
from argparse import ArgumentParser
from typing import Any

from accounts.audit import OPERATOR
from storage.integrity.repair import repair
from storage.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    is_whole = True
    help = (
        "Make missing and damaged replicas again from good ones, and look for lost objects. A "
        "region whose store is gone for good is begun anew only if it is named. Exit status 0: "
        "every region is there; 1: one is away, so its part is not done."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Repair, and end with a status that says whether every region was there."""
        super().handle(*args, **options)
        if not self.is_whole:
            sys.exit(1)

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--begin-anew",
            metavar="REGION",
            action="append",
            default=[],
            help="the store of this region is gone for good and an empty one is in its place: "
            "count all its replicas as missing, and fill it again",
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        repairs = repair(OPERATOR, anew=options["begin_anew"])
        self.is_whole = not repairs.regions_away
        for alias in repairs.regions_away:
            self.stderr.write(
                f"Region {alias} is not there. Bring it back (is its drive mounted?). If it is "
                f"gone for good, put an empty store in its place: repair --begin-anew {alias}"
            )
        return dataclasses.asdict(repairs)
