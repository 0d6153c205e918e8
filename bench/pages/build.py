"""Run by path inside a build's source: `fill` makes the rows, `measure` asks for the pages.

It imports nothing of ours but the build's own Django project, which may be an older one, and
prints one JSON object.
"""

import json
import os
import statistics
import sys
import time
from importlib import import_module
from typing import Any

ROUNDS, FEWEST = 30, 3  # requests of a page
PATIENCE = 30.0  # seconds, after which a slow page is asked for no more
PAGES = {"dashboard": "/dashboard/", "regions": "/admin/storage/region/"}
DEVICES, SNAPSHOTS, OBJECTS = 100, 100_000, 234_000
SECOND_FACTOR = {"method": "mfa", "type": "totp"}


def main() -> None:
    """Do what the first argument says."""
    import django

    django.setup()
    begun = time.monotonic()
    result = fill(float(sys.argv[2])) if sys.argv[1] == "fill" else measure()
    print(json.dumps({"seconds": time.monotonic() - begun, **result}))


def fill(share: float) -> dict[str, Any]:
    """Make an account on the Plus plan whose devices have backed up for long; `share` of it all."""
    from django.core.management import call_command

    from accounts.actions import open_account
    from accounts.audit import SERVICE
    from accounts.models import Device, User
    from billing.actions import subscribe
    from storage.models import Replica, Vault
    from storage.stores.registry import prepare_new, sync_rows
    from storage.vaults.enrolment import create_vault

    call_command("migrate", verbosity=0)
    sync_rows()
    prepare_new(SERVICE)
    account = open_account(User.objects.create_user("owner@example.org"))
    User.objects.create_superuser("staff@example.org")
    subscribe(account, plan="plus", actor=SERVICE)
    for number in range(int(DEVICES * share)):
        device = Device.objects.create(
            account=account, name=f"computer-{number}", member=account.memberships.get()
        )
        made = create_vault(account, name=f"computer-{number}", actor=SERVICE)
        Vault.objects.filter(pk=made.vault.pk).update(device=device, state="active")
    _insert(int(SNAPSHOTS * share), "snapshots", 1_000)
    _insert(int(OBJECTS * share), "data", 2_000_000)
    return {"replicas": Replica.objects.count()}


def _insert(count: int, kind: str, size: int) -> None:
    """Insert objects, of each vault as many, with a stored replica in every region."""
    from django.db import connection
    from django.utils import timezone

    from storage.models import Region, StoredObject, Vault

    now, vaults = timezone.now(), list(Vault.objects.values_list("pk", flat=True))
    Vault.objects.update(last_snapshot_at=now)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
    each = count // len(vaults)
    last = StoredObject.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with connection.cursor() as cursor:
        for vault in vaults:
            cursor.execute(
                f"{numbers} INSERT INTO storage_storedobject "
                "(vault_id, type, name, size, sha256, state, sequence, created_at) "
                "SELECT %s, %s, CAST(i AS TEXT), %s, '', 'live', i, %s FROM n",
                [each, vault, kind, size, now],
            )
        for region in Region.objects.all():
            name = f"'{kind[0]}{region.pk}-' || id"
            cursor.execute(
                "INSERT INTO storage_attempt "
                "(id, vault_id, type, name, region_id, state, size, created_at, due_at) "
                f"SELECT {name}, vault_id, type, name, {region.pk}, 'stored', size, %s, %s "
                "FROM storage_storedobject WHERE id > %s",
                [now, now, last],
            )
            cursor.execute(
                "INSERT INTO storage_replica (object_id, region_id, attempt_id, state, sequence, "
                "stored_at, verified_at, since, lease_token, tries, next_attempt_at, last_error) "
                f"SELECT id, {region.pk}, {name}, 'stored', sequence, %s, %s, %s, '', 0, %s, '' "
                "FROM storage_storedobject WHERE id > %s",
                [now, now, now, now, last],
            )
        cursor.execute("ANALYZE")


def measure() -> dict[str, Any]:
    """Migrate to this build, then ask for each page again and again."""
    from django.core.management import call_command
    from django.test import Client

    from accounts.models import User

    begun = time.monotonic()
    call_command("migrate", verbosity=0)
    result: dict[str, Any] = {"migration": time.monotonic() - begun}
    import_module("backup_service.wsgi")  # what the site's process does when it starts
    for page, address in PAGES.items():
        client = Client(headers={"host": "localhost"})
        who = "owner" if page == "dashboard" else "staff"
        user = User.objects.get(email=f"{who}@example.org")
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        session = client.session
        session["account_authentication_methods"] = [{"at": time.time(), **SECOND_FACTOR}]
        session["account_authentication_methods_user"] = str(user.pk)
        session.save()
        result[page] = _ask(client, address)
    return result


def _ask(client: Any, address: str) -> dict[str, float]:
    answer = client.get(address)
    taken: list[float] = []
    used: list[float] = []
    until = time.monotonic() + PATIENCE
    while len(taken) < FEWEST or (len(taken) < ROUNDS and time.monotonic() < until):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        answer = client.get(address)
        taken.append(time.perf_counter() - begun)
        used.append(time.process_time() - begun_cpu)
    if answer.status_code != 200:
        raise SystemExit(f"{address} answered {answer.status_code}")
    return {
        "processor": statistics.median(used),
        "median": statistics.median(taken),
        "p95": statistics.quantiles(taken, n=20)[-1],
        "bytes": len(answer.content),
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
    main()
