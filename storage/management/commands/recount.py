"""`manage.py recount`: compare what pages show with the rows; with `--mend`, set it right."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from storage.counters import recount
from storage.counters.tally import Sums
from storage.database import bulk, single_runner
from storage.management.operator_command import OperatorCommand
from storage.models import Vault

MOST_SHOWN = 100  # differences


class Command(OperatorCommand):
    help = (
        "Compare the figures that pages show (objects, bytes and copies of every vault and region) "
        "with the rows that they count, vault by vault, while the service runs. Says what differs; "
        "--mend sets it right, as the service does by itself once a day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--vault", default="", metavar="ID", help="this vault only")
        parser.add_argument("--mend", action="store_true", help="set right what differs")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        compared = differed = 0
        shown: list[dict[str, Any]] = []
        with single_runner.alone(recount.JOB) as is_mine:
            if not is_mine:
                raise CommandError("A recount is running already; try again in ten minutes.")
            for vault in _vaults(options["vault"]):
                is_mine.renew()
                found = recount.mend(vault) if options["mend"] else recount.compare(vault)
                compared, differed = compared + 1, differed + bool(found)
                shown += _shown(vault, found)
                del shown[MOST_SHOWN:]
        return {
            "vaults": compared,
            "differed": differed,
            "mended": differed if options["mend"] else 0,
            "differences": shown,
        }


def _vaults(public_id: str) -> Iterator[Vault]:
    chosen = Vault.objects.order_by("pk")
    if public_id:
        chosen = chosen.filter(public_id=public_id)
        if not chosen.exists():
            raise CommandError(f"There is no vault {public_id}.")
    return bulk.steadily(chosen)


def _shown(vault: Vault, found: Sums) -> list[dict[str, Any]]:
    """Return what would have to be added to the figures, a line for each situation."""
    return [
        {
            "vault": vault.public_id,
            "state": where.state,
            "copies": where.copies or "none",
            "objects": some.objects,
            "snapshots": some.snapshots,
            "bytes": some.bytes,
        }
        for where, some in sorted(found.items())
    ]
