"""`manage.py repair`: make bad and missing copies good again, now."""

import dataclasses
from typing import Any

from accounts.audit import OPERATOR
from storage.management.operator import OperatorCommand
from storage.repair import repair


class Command(OperatorCommand):
    help = (
        "Make missing and damaged copies again from good ones, look for lost objects, and begin "
        "regions anew whose directory is gone or empty."
    )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return dataclasses.asdict(repair(OPERATOR))
