"""`manage.py reconcile`: compare rows with stores, and figures with rows."""

import dataclasses
from typing import Any

from accounts.audit import OPERATOR
from storage.integrity.reconcile import reconcile
from storage.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Compare rows with the regions' contents and quota figures with rows; mend figures. Once "
        "all regions were compared, purge and sweep go on where they were held: after a database "
        "was restored, or the clock has jumped."
    )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return dataclasses.asdict(reconcile(OPERATOR))
