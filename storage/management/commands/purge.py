"""`manage.py purge`: remove what has outlived its grace; with `--now`, what is in it too."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from accounts import audit
from accounts.audit import OPERATOR
from backup_service import clock
from storage.database import elapsed_time
from storage.deletion import guard, sweep
from storage.deletion.purge import due, purge
from storage.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Purge objects whose grace has ended and sweep doomed bytes. --now ends every grace at "
        "once, which cannot be undone: it needs --yes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--now", action="store_true")
        parser.add_argument("--yes", action="store_true")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["now"]:
            guard.require_trust(everywhere=True)
            waiting = due(elapsed_time.grace_began_before()).count()
            return {"due": waiting, "purged": purge(), "swept": sweep.sweep()}
        if not options["yes"]:
            waiting = due(clock.now()).count()
            raise CommandError(
                f"This would remove {waiting} deleted objects for good, without the 30 days in "
                "which they can be brought back. If you mean it, add --yes."
            )
        guard.require_trust(everywhere=True)
        audit.record(OPERATOR, "purge.now", "every vault")
        purged = purge(grace_ended_before=clock.now())
        swept = sweep.sweep(doomed_before=clock.now() + timedelta(days=365))
        return {"purged": purged, "swept": swept}
