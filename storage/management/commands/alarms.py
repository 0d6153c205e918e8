"""`manage.py alarms`: list present alarms; exit status 1 if there are any."""

import dataclasses
import sys
from typing import Any

from storage.management.operator_command import OperatorCommand
from storage.monitoring import alarms


class Command(OperatorCommand):
    help = (
        "Show what is wrong at this moment, asked of the database, not of the workers: it works "
        "from cron when they are gone. Exit status 0: nothing; 1: something."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show all alarms, and end with a status that says whether there are any."""
        found = alarms.present()
        if options["json"]:
            self.show({"alarms": [dataclasses.asdict(one) for one in found]}, as_json=True)
        for one in found if not options["json"] else []:
            self.stdout.write(f"{one.key}: {one.text}\n  {one.advice}")
        if found:
            sys.exit(1)
        if not options["json"]:
            self.stdout.write("Nothing is wrong.")
