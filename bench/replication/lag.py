"""How far replicas are behind: a whole service, a steady, light load, and what its rows say."""

import base64
import hashlib
import http.client
import os
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.journeys.service import Service

EVERY = 0.5  # seconds between two uploads
SIZE = 1 << 20
WARM_UP = 10


def measure_lag(folder: Path, *, seconds: int) -> list[float]:
    """Return the seconds from each upload's commit to its second verified replica."""
    folder.mkdir(parents=True)
    service = Service(folder / "data", REGIONS="s3")
    try:
        service.start()
        email = "bench@example.org"
        service.manage("account", "create", "--email", email, "--plan", "plus")
        made = service.manage("vault", "create", "--account", email, "--name", "b", "--json")
        count = round(seconds / EVERY) + WARM_UP
        begun = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begun + number * EVERY - time.monotonic()))
            _upload(service.gateway_url, made)
        _settle(service)
        return _lags(service)[WARM_UP:]
    finally:
        service.close()


def _upload(gateway: str, vault: dict[str, str]) -> None:
    content = os.urandom(SIZE)
    pair = base64.b64encode(f"{vault['username']}:{vault['secret']}".encode()).decode()
    place = urlsplit(gateway)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    connection.request(
        "POST",
        f"/restic/{vault['vault']}/data/{hashlib.sha256(content).hexdigest()}",
        body=content,
        headers={"Authorization": f"Basic {pair}"},
    )
    with connection.getresponse() as answer:
        if answer.status != 200:
            raise SystemExit(f"an upload was answered with {answer.status}: {answer.read()!r}")
    connection.close()


def _settle(service: Service) -> None:
    deadline = time.monotonic() + 120
    while any(one["pending"] for one in service.manage("region", "status", "--json")["regions"]):
        if time.monotonic() > deadline:
            raise SystemExit("copies did not come")
        time.sleep(1)


def _lags(service: Service) -> list[float]:
    with sqlite3.connect(service.data_dir / "nightsafe.sqlite3") as database:
        rows = database.execute(
            "SELECT o.created_at, MAX(r.stored_at) FROM storage_storedobject o"
            " JOIN storage_replica r ON r.object_id = o.id"
            " JOIN storage_vault v ON v.id = o.vault_id"
            " WHERE v.name = 'b' GROUP BY o.id ORDER BY o.sequence"
        ).fetchall()
    return [
        (datetime.fromisoformat(stored) - datetime.fromisoformat(created)).total_seconds()
        for created, stored in rows
    ]
