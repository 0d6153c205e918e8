"""`manage.py reconcile`: rows against stores, figures against rows."""

import dataclasses
from typing import Any

from storage.management.operator import OperatorCommand
from storage.reconcile import reconcile


class Command(OperatorCommand):
    help = "Compare rows with the regions' contents and quota figures with rows; mend figures."

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return dataclasses.asdict(reconcile())
