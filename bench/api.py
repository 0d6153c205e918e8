"""`python -m bench.api`: how long the service takes for each list page of the customers' API.

An account with a thousand rows of everything and a hundred thousand snapshots, in a database of its
own; requests go through the whole of the site's middleware, without a network. Each page is asked
for as it comes first, and from the middle of the list.
"""

import argparse
import os
import platform
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from bench.measure import busy_share

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks-api.md"
ROWS, SNAPSHOTS, TIMES = 1000, 100_000, 60
MUST = 50.0  # milliseconds at the 95th percentile


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a processor for the requests for a list."""

    path: str
    took: Sequence[float]

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return quantiles(self.took, n=20)[-1]


def main() -> int:
    """Measure and, if asked, write the page; 1 when a list was too slow."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of each kind ({ROWS})")
    parser.add_argument("--snapshots", type=int, default=SNAPSHOTS, help=f"({SNAPSHOTS:,})")
    parser.add_argument("--times", type=int, default=TIMES, help=f"each page is asked ({TIMES})")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--dir", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    args = parser.parse_args()
    busy = busy_share()
    with tempfile.TemporaryDirectory(prefix="nightsafe-api-", dir=args.dir) as folder:
        timings = _measured(Path(folder), args)
    lines = _table(timings)
    print("\n".join(lines))
    if args.write:
        PAGE.write_text(_page(lines, args, busy))
        print(f"written to {PAGE}")
    return 0 if max(one.p95 for one in timings) < MUST else 1


def _measured(folder: Path, args: argparse.Namespace) -> list[Timing]:
    """Set a service up in `folder`, fill it, and ask it."""
    os.environ |= {
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "backup_service.settings",
        "NIGHTSAFE_SECRET_KEY": secrets.token_urlsafe(60),
    }
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder / 'bench.sqlite3'}")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.test.utils import setup_test_environment

    setup_test_environment()
    asks, paths = _filled(args)
    import_module("backup_service.wsgi")  # what the site's process does when it starts
    return [Timing(path, _ask(asks, path, args.times)) for path in paths]


def _filled(args: argparse.Namespace) -> tuple[Any, list[str]]:
    """Make the account; return a program of its owner, and the lists' paths."""
    from accounts.actions import open_account
    from accounts.audit import SERVICE
    from accounts.customer_api import limits
    from accounts.models import Endpoint, User
    from accounts.notifications import endpoints
    from accounts.topics import Topic
    from backup_service.pages.api import document
    from billing.actions import subscribe
    from storage.vaults.enrolment import enrol_device
    from tests.support.customers.api import program
    from tests.support.customers.many_rows import fill

    # Of which Valkey keeps count, and there is none here.
    limits.count = lambda *_, **__: (1, 1)
    account = open_account(User.objects.create_user("bench@example.org"))
    subscribe(account, plan="plus", actor=SERVICE)
    vault = enrol_device(account, name="laptop", actor=SERVICE).vault
    chosen = endpoints.Settings("pager", "https://example.org/hook", [Topic.BACKUPS])
    pager = endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=SERVICE)
    asks = program(account)  # before there are more tokens than one may make
    fill(vault, pager, range(args.rows), snapshots=range(args.snapshots))
    filled = {"vault_id": vault.public_id, "endpoint_id": pager.public_id}
    lists = [
        path.format(**filled)
        for path, methods in document()["paths"].items()
        if any(one["name"] == "cursor" for one in methods.get("get", {}).get("parameters", []))
    ]
    return asks, lists


def _ask(asks: Any, path: str, times: int) -> list[float]:
    """Return the milliseconds of asking for pages of a list, one after the other."""
    took, address = [], path
    for _ in range(times):
        begun = time.thread_time()
        told = asks.get(address)
        took.append((time.thread_time() - begun) * 1000)
        if told.status_code != 200:
            raise RuntimeError(f"{address}: {told.status_code}")
        following = told.json()["next"]
        parts = urlsplit(following or "")
        address = f"{parts.path}?{parts.query}" if following else path
    return took


def _table(timings: Sequence[Timing]) -> list[str]:
    rows = sorted(timings, key=lambda one: -one.p95)
    return [
        "| list | median, ms | 95th percentile, ms |",
        "|---|---|---|",
        *(
            f"| `{_short(one.path)}` | {median(one.took):.1f} | {_judged(one.p95)} |"
            for one in rows
        ),
    ]


def _judged(milliseconds: float) -> str:
    return f"**{milliseconds:.1f}**" if milliseconds >= MUST else f"{milliseconds:.1f}"


def _short(path: str) -> str:
    parts = path.removeprefix("/api/v1/").split("/")
    return "/".join("…" if n == 1 and len(parts) > 3 else one for n, one in enumerate(parts))


def _page(lines: Sequence[str], args: argparse.Namespace, busy: float) -> str:
    return "\n".join(
        [
            "# The API's lists, measured",
            "",
            "Written by `python -m bench.api --write`. An account with "
            f"{args.rows:,} rows of each kind and {args.snapshots:,} snapshots in one vault; "
            f"{args.times} pages of each list, one after the other, 50 rows each. It is the time "
            "for which a processor was busy with a request, from the site's first middleware to "
            "the last byte, its database (SQLite, in the same thread) included: so others' work "
            "on the computer counts little. Every list is to stay below "
            f"{MUST:.0f} ms at the 95th percentile; bold ones do not.",
            "",
            *lines,
            "",
            f"Python {platform.python_version()}, {os.cpu_count()} processors of "
            f"{platform.machine()}, which were {busy:.0%} busy with other things before.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
