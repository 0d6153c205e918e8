"""`python -m bench.sweep`: how fast what uploads left behind is removed from a real store.

Transfers of one byte are begun, sent and given up; then the sweep removes them, in turns as the
workers have them. Beside it, a part of them is removed one by one, as the sweep did before.
"""

import argparse
import hashlib
import io
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.measure import busy_share
from bench.replication.stores import Stores

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks-sweep.md"
COUNT, ONE_BY_ONE = 10_000, 300
MUST = 380.0  # a second, ten times what it was
TURN = 8.0  # seconds, as `storage.tasks` has it


def main() -> int:
    """Measure and, if asked, write the page; 1 when the sweep was too slow."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help=f"given-up transfers ({COUNT})")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--dir", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    args = parser.parse_args()
    busy = busy_share()
    with (
        tempfile.TemporaryDirectory(prefix="nightsafe-sweep-", dir=args.dir) as folder,
        Stores(Path(folder) / "stores") as stores,
    ):
        stores.fill(1, 1)
        rate_before = _one_by_one(_given_up(min(ONE_BY_ONE, args.count)))
        _given_up(args.count)
        turns = _sweep()
    seconds = sum(turns)
    rate = args.count / seconds
    lines = [
        "| way | given-up transfers | seconds | a second |",
        "|---|---|---|---|",
        f"| the sweep, {len(turns)} turns, the longest {max(turns):.1f} s | {args.count:,} "
        f"| {seconds:.1f} | **{rate:.0f}** |",
        f"| one by one, as it was | {min(ONE_BY_ONE, args.count)} "
        f"| {min(ONE_BY_ONE, args.count) / rate_before:.1f} | {rate_before:.0f} |",
    ]
    print("\n".join(lines))
    if args.write:
        PAGE.write_text(_page(lines, busy))
        print(f"written to {PAGE}")
    return 0 if rate >= MUST else 1


def _given_up(count: int) -> list[Any]:
    """Begin, send and give up transfers of one byte each; return their attempts."""
    from billing.actions import entitlements_of
    from storage.models import Attempt, Region, Vault
    from storage.object_names import ObjectType, parse_name
    from storage.objects.batch import MAX_OBJECTS
    from storage.stores.registry import store_of
    from storage.uploads import presigned
    from storage.vaults import quota
    from storage.vaults.access import Access

    quota.MOST_OPEN_OF_VAULT = quota.MOST_OPEN_OF_ACCOUNT = 10 * count  # as it was
    vault = Vault.objects.select_related("account").first()
    assert vault is not None
    credential = vault.credentials.first()
    assert credential is not None
    access = Access(credential, vault, entitlements_of(vault.account))
    region = Region.objects.get(alias="a")
    names = [hashlib.sha256(os.urandom(8)).hexdigest() for _ in range(count)]
    for start in range(0, count, MAX_OBJECTS):
        some = names[start : start + MAX_OBJECTS]
        wishes = [presigned.Announcement(parse_name(ObjectType.DATA, name), 1) for name in some]
        presigned.reserve(access, region, wishes)
    attempts = list(Attempt.objects.filter(state="writing").select_related("vault", "region"))
    store: Any = store_of(region)  # past its contract, to the bucket

    def send(attempt: Attempt) -> None:
        store.general.again.put_object(
            Bucket=store.region.bucket, Key=str(attempt.key), Body=io.BytesIO(b"x")
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, attempts))
    Attempt.objects.filter(state="writing").update(state="doomed", due_at=attempts[0].created_at)
    return attempts


def _one_by_one(attempts: Sequence[Any]) -> float:
    """Remove attempts as the sweep did before; return how many a second."""
    from storage.deletion import sweep
    from storage.stores.registry import store_of

    begun = time.monotonic()
    for attempt in attempts:
        store_of(attempt.region).delete(attempt.key)
        sweep.forget([attempt])
    return len(attempts) / (time.monotonic() - begun)


def _sweep() -> list[float]:
    """Sweep in turns until nothing is left; return the seconds of each."""
    from backup_service import clock
    from storage.deletion import sweep

    sweep.reachable()  # a worker has its clients already
    turns = []
    while sweep.due(clock.now()).exists():
        begun = time.monotonic()
        sweep.sweep(seconds=TURN)
        turns.append(time.monotonic() - begun)
    return turns


def _page(lines: Sequence[str], busy: float) -> str:
    table = "\n".join(lines)
    return f"""# The sweep, measured

Transfers of one byte that were begun, sent to the store and given up, and what it takes to remove
them: bytes from the store, rows, and what they held of the quota. The store is a real SeaweedFS on
this computer, in memory; the database is SQLite. Every key is asked for after its removal.
It must be {MUST:.0f} a second at least.

{table}

Written by `python -m bench.sweep --write` on {time.strftime("%Y-%m-%d")}, on {os.cpu_count()} \
processors ({platform.machine()}), {busy:.0%} of which others used; its niceness was {os.nice(0)}.
"""


if __name__ == "__main__":
    sys.exit(main())
