"""`manage.py region …`: the life cycle of regions."""

import dataclasses
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from backup_service import clock
from storage.management.operator_command import OperatorCommand
from storage.models import Refill, Region
from storage.regions import lifecycle, write_off
from storage.regions.status import region_status, replica_counts
from storage.stores.registry import prepare_new, sync_rows

ACTIONS = {
    "drain": lifecycle.drain,
    "read-only": lifecycle.read_only,
    "offline": lifecycle.offline,
    "online": lifecycle.online,
}


class Command(OperatorCommand):
    help = (
        "status: how the regions stand. prepare: make all newly configured ones ready. "
        "add: begin to use one. read-only: keep its replicas, take no more. drain: empty it while "
        "customers work. offline: leave it alone and make its replicas elsewhere. online: use it "
        "again. remove: for good, once it is empty; with --lost, when its store is destroyed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["status", "prepare", "add", *ACTIONS, "remove"])
        parser.add_argument("region", nargs="?", help="its name in NIGHTSAFE_REGIONS")
        parser.add_argument(
            "--lost", action="store_true", help="remove: its store and all replicas are gone"
        )
        parser.add_argument("--yes", action="store_true", help="do what cannot be undone")
        parser.add_argument(
            "--wait", action="store_true", help="drain: stay and tell the progress until it ends"
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        action, alias = options["action"], options["region"]
        if action == "status":
            return self._status(alias)
        if action == "prepare":
            sync_rows()
            prepared = prepare_new(OPERATOR)
            if prepared:
                Refill.request()
            return {"prepared": [region.alias for region in prepared]}
        if not alias:
            raise CommandError(f"Say which region: region {action} NAME.")
        if action == "add":
            return self._about(lifecycle.add(alias, OPERATOR))
        region = lifecycle.find(alias)
        if action == "remove":
            return self._remove(region, lost=options["lost"], sure=options["yes"])
        changed = ACTIONS[action](region, OPERATOR)
        if action == "drain" and options["wait"]:
            self._watch(region)
        about = {"changed": changed} | self._about(lifecycle.find(alias))
        return about | self._missed(region) if action == "offline" else about

    def _missed(self, region: Region) -> dict[str, Any]:
        """Tell what nobody can read while a region is offline."""
        sole = lifecycle.sole_replicas(region)
        if sole:
            self.stderr.write(
                f"{sole} objects have no other replica that can be read now: what needs them "
                f"cannot be restored until `region online {region.alias}`."
            )
        return {"without_other_copy": sole}

    def _status(self, alias: str | None) -> dict[str, Any]:
        if alias:
            return self._about(lifecycle.find(alias))
        counts = replica_counts()
        return {
            "regions": [dataclasses.asdict(status) for status in region_status(clock.now())],
            **dataclasses.asdict(counts),
            "too_few_regions": counts.too_few_regions,
        }

    def _about(self, region: Region) -> dict[str, Any]:
        shown = region_status(clock.now())
        for status in shown:
            if status.region == region.alias:
                return dataclasses.asdict(status)
        return {"region": region.alias, "status": region.status}

    def _remove(self, region: Region, *, lost: bool, sure: bool) -> dict[str, Any]:
        if lost and not sure:
            sole = lifecycle.sole_replicas(region)
            raise CommandError(
                f"This takes all replicas in {region.alias} for lost. {sole} objects have no other "
                "replica that can be read now: they become LOST, and their owners are asked to "
                "back up again. It cannot be undone; if the store may come back, `region offline` "
                "is enough. If you mean it, add --yes."
            )
        if not sure:
            raise CommandError(
                f"This takes {region.alias} out of use for good; only an empty store can begin "
                "under its name again. If you mean it, add --yes."
            )
        written_off = 0
        if lost:
            lifecycle.write_off_region(region, OPERATOR)
            written_off = write_off.write_off_due()
        else:
            lifecycle.remove(region, OPERATOR)
        return {"region": region.alias, "status": "removed", "copies_struck_off": written_off} | {
            "lost": replica_counts().lost
        }

    def _watch(self, region: Region) -> None:
        """Tell the progress on standard error until the region is empty or drained no more."""
        while True:
            about = self._about(lifecycle.find(region.alias))
            drain = about["drain"]
            if drain is None or about["empty"]:
                return
            self.stderr.write(
                f"{drain['objects_left']} replicas, {drain['bytes_left']} bytes left, "
                f"{drain['objects_per_second']} replicas/s, {drain['bytes_per_second']} bytes/s; "
                f"{drain['doomed']} doomed ones wait for the sweep"
            )
            time.sleep(2.0)
