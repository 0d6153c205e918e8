"""`manage.py canary`: store and read back a canary in every region, now."""

from typing import Any

from django.core.management.base import CommandError

from storage.management.operator_command import OperatorCommand
from storage.monitoring import canary


class Command(OperatorCommand):
    help = "Store something small in every region, read it back and compare."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        runs = canary.send()
        failed = [f"{run.region.alias}: {run.error}" for run in runs if not run.went_well]
        if failed:
            raise CommandError("The canary did not come back from " + "; ".join(failed))
        return {
            "regions": [
                {"region": run.region.alias, "seconds": round(run.seconds, 3)} for run in runs
            ]
        }
