"""`manage.py region status|prepare`: the stores behind the service."""

import dataclasses
from argparse import ArgumentParser
from typing import Any

from accounts.audit import OPERATOR
from backup_service import clock
from storage.management.operator import OperatorCommand
from storage.regions import prepare_new, sync_rows
from storage.status import region_status


class Command(OperatorCommand):
    help = "Show how the regions stand, or prepare the newly configured ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["status", "prepare"])

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["action"] == "prepare":
            sync_rows()
            return {"prepared": [region.alias for region in prepare_new(OPERATOR)]}
        statuses = [dataclasses.asdict(status) for status in region_status(clock.now())]
        return {"regions": statuses}
