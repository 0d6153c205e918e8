"""`manage.py undelete`: brings back what was removed from a vault."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from storage.management.operator_command import OperatorCommand
from storage.models import Undelete, Vault
from storage.rewind import requests, worker
from storage.rewind.requests import Wanted


class Command(OperatorCommand):
    help = (
        "Bring back what was removed in the last 30 days: a whole vault as it was at --to, or "
        "chosen snapshots with all data of their time, or what one credential has removed since "
        "--to. Waits until it is done; if it is broken off, the workers go on with it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--vault", required=True, help="its identifier, as in its address")
        parser.add_argument(
            "--to", help="the moment, such as 2026-05-01T12:00Z; without a zone it is UTC"
        )
        parser.add_argument(
            "--snapshot",
            nargs="+",
            default=[],
            metavar="NAME",
            help="snapshots by name, or its beginning; without --to as they were last",
        )
        parser.add_argument(
            "--by-credential", default="", metavar="PREFIX", help="undo what it removed since --to"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would come back")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        vault = Vault.objects.select_related("account").filter(public_id=options["vault"]).first()
        if vault is None:
            raise CommandError(f"There is no vault {options['vault']}.")
        wanted = Wanted(
            moment=moment_of(options["to"]) if options["to"] else None,
            snapshots=options["snapshot"],
            credential=options["by_credential"],
        )
        if options["dry_run"]:
            return _planned(vault, wanted)
        row = requests.request(vault, wanted, actor=OPERATOR)
        worker.run(row.pk)
        return _done(Undelete.objects.select_related("vault", "credential").get(pk=row.pk))


def moment_of(text: str) -> datetime:
    """Return the moment that an ISO 8601 text names. Raises CommandError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"Write --to as 2026-05-01T12:00Z; {text} is no time.") from error
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise CommandError(f"{text} is out of reach.") from error


def _planned(vault: Vault, wanted: Wanted) -> dict[str, Any]:
    plan = requests.plan(vault, wanted)
    return {
        "vault": vault.public_id,
        "objects": plan.objects,
        "snapshots": plan.snapshots,
        "bytes": plan.bytes,
        "purged": plan.purged,
        "purged_names": list(plan.purged_names),
        "keys_left_out": plan.keys_left_out,
        "over_quota": plan.over,
    }


def _done(row: Undelete) -> dict[str, Any]:
    return {
        "vault": row.vault.public_id,
        "undelete": row.pk,
        "finished": row.is_over,
        "objects": row.revived,
        "snapshots": row.revived_snapshots,
        "bytes": row.revived_bytes,
        "lost": row.lost,
        "purged": row.purged,
        "text": worker.sentence(row),
    }
