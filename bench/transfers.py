"""`python -m bench.transfers`: what uploads cost the web process, through it and directly.

A real gateway process and a real SeaweedFS on this machine. Counted is the processor time of the
gateway's processes alone; store and client are others' affair.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.ports import any_port
from backup_service.embedded.processes import programs
from tests.support.gateway import PYTHON, ROOT, Gateway, Holder, start_gateway

PAGE = Path(__file__).parents[1] / "docs" / "transfers.md"
GIB, PACK = 1 << 30, 16 << 20
DEVICES, DEVICE_BYTES = 200, 1 << 20
MUST_GATEWAY, MUST_DIRECT = 2.5, 0.05  # processor seconds per GiB
AT_ONCE = 4
_ALL_THREADS = 2  # Linux, clock_getcpuclockid: such a clock of a whole process, dead threads too
_kept = threading.local()


@dataclass(frozen=True)
class Row:
    """One way of sending: bytes, processor and wall seconds, control requests."""

    what: str
    size: int
    cpu: float
    wall: float
    requests: int
    must: float

    @property
    def per_gib(self) -> float:
        """Processor seconds of the gateway for a gibibyte."""
        return self.cpu * GIB / self.size


@dataclass(frozen=True)
class Crowd:
    """Many devices at once: seconds, refusals met on the way, and resident bytes."""

    wall: float
    cpu: float
    before: int
    most: int
    after: int
    refused: int


def main() -> int:
    """Measure and, if asked, write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.transfers", description=__doc__)
    parser.add_argument("--gib", type=float, default=2.0, help="how much is sent each way (2)")
    parser.add_argument("--devices", type=int, default=DEVICES, help=f"at once ({DEVICES})")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    with running() as gateway:
        holder, *devices = vaults(gateway, 1 + args.devices)
        base = os.urandom(PACK)
        direct(gateway, holder, os.urandom(PACK), 1)  # connections and clients are made once
        count = max(1, int(args.gib * GIB) // PACK)
        rows = [
            through(gateway, holder, base, count),
            direct(gateway, holder, base, count),
        ]
        crowd = many(gateway, devices)
    text = page(rows, crowd, args.devices, load)
    print(text)
    if args.write:
        PAGE.write_text(text)
    return 0


@contextmanager
def running() -> Iterator[Gateway]:
    """A gateway with two regions in a store that clients may send to, and a broker."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from tests.support.stores import (
        regions,
        seaweedfs,  # wants Django's applications
    )

    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        seaweedfs.running() as store,
        broker(Path(folder)) as address,
    ):
        environment = regions.environment(store, "a", "b") | {"NIGHTSAFE_BROKER_URL": address}
        gateway = start_gateway(Path(folder), **environment)
        try:
            yield gateway
        finally:
            gateway.stop()


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The address of a broker that nobody reads from: losing wake-ups costs more than sending."""
    made = Configuration(folder, 0, 0, None, any_port(), secrets.token_urlsafe(), {})
    program = programs.broker(made)
    process = subprocess.Popen(program.argv, cwd=program.folder, stdout=subprocess.DEVNULL)
    try:
        yield made.settings()["NIGHTSAFE_BROKER_URL"]
    finally:
        process.terminate()
        process.wait(20)


def vaults(gateway: Gateway, count: int) -> list[Holder]:
    """Credentials of new vaults of one account."""
    code = (
        "import json; from accounts.actions import open_account; from accounts.models import User; "
        "from accounts.audit import SERVICE; from billing.actions import subscribe; "
        "from storage.vaults import credentials; "
        "from storage.vaults.enrolment import create_vault\n"
        "account = open_account(User.objects.create_user('bench@example.org'))\n"
        "subscribe(account, plan='plus', actor=SERVICE)\n"
        f"made = [create_vault(account, name=str(n), actor=SERVICE) for n in range({count})]\n"
        "found = [credentials.create(m.vault, scope='backup', actor=SERVICE) for m in made]\n"
        "print(json.dumps([[f.credential.vault.public_id, f.credential.prefix, f.secret] "
        "for f in found]))"
    )
    done = subprocess.run(
        [PYTHON, "manage.py", "shell", "-v0", "-c", code],
        cwd=ROOT,
        env=gateway.env,
        check=True,
        capture_output=True,
        text=True,
    )
    return [Holder(gateway.port, *one) for one in json.loads(done.stdout.splitlines()[-1])]


def through(gateway: Gateway, holder: Holder, base: bytes, count: int) -> Row:
    """Packs as POSTs to the gateway, which streams them to the store."""
    with metered(gateway) as meter:
        require([200] * count, each(post_pack, [(holder, base, n) for n in range(count)]))
    return meter.row("through the gateway", count * PACK, 0, MUST_GATEWAY)


def direct(gateway: Gateway, holder: Holder, base: bytes, count: int) -> Row:
    """Packs as an agent sends them: announced by the gibibyte, each commit with the next."""
    requests = 0
    commit: list[str] = []
    with metered(gateway) as meter:
        for start in range(0, count, GIB // PACK):
            numbers = range(start, min(count, start + GIB // PACK))
            names = each(pack_name, [(base, 10_000 + n) for n in numbers])
            objects = [{"type": "data", "name": name, "size": PACK} for name in names]
            answer = holder.call("uploads", {"objects": objects, "commit": commit})
            requests += 1
            offers = answer["objects"]
            sent = each(
                put_pack, [(one, base, 10_000 + n) for one, n in zip(offers, numbers, strict=True)]
            )
            require([200] * len(offers), sent)
            commit = [offer["attempt"] for offer in offers]
        done = holder.call("finish", {"commit": commit})
        requests += 1
        require(["stored"] * len(commit), [one["status"] for one in done["committed"]])
    return meter.row("directly to the store", count * PACK, requests, MUST_DIRECT)


def many(gateway: Gateway, devices: Sequence[Holder]) -> Crowd:
    """All devices back up a mebibyte at the same time: begin, upload, finish."""
    refused: list[int] = []

    def back_up(holder: Holder) -> None:
        content = os.urandom(DEVICE_BYTES)
        lock, snapshot = os.urandom(200), os.urandom(300)
        patiently(holder, "begin", {"lock": named(lock)}, refused)
        while post(holder, content) == 503:
            refused.append(503)
            time.sleep(1)
        fields = {"snapshot": named(snapshot), "lock": sha(lock)}
        patiently(holder, "finish", fields, refused)

    before = most = gateway.memory()
    with metered(gateway) as meter, ThreadPoolExecutor(len(devices)) as pool:
        running = [pool.submit(back_up, holder) for holder in devices]
        while not all(one.done() for one in running):
            most = max(most, gateway.memory())
            time.sleep(0.05)
        for one in running:
            one.result()
    return Crowd(meter.wall, meter.cpu, before, most, gateway.memory(), len(refused))


def patiently(holder: Holder, what: str, fields: object, refused: list[int]) -> None:
    """Make a request of the control API, again while the service is busy."""
    while True:
        try:
            holder.call(what, fields)
        except AssertionError as error:
            if b'"busy"' not in str(error).encode():
                raise
            refused.append(503)
            time.sleep(1)
        else:
            return


class Meter:
    """Processor and wall seconds, once it is read."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def row(self, what: str, size: int, requests: int, must: float) -> Row:
        """The result for so many bytes."""
        return Row(what, size, self.cpu, self.wall, requests, must)


@contextmanager
def metered(gateway: Gateway) -> Iterator[Meter]:
    """Measure what the gateway's processes use in a `with` block."""
    meter = Meter()
    cpu, began = used(gateway), time.monotonic()
    yield meter
    meter.cpu, meter.wall = used(gateway) - cpu, time.monotonic() - began


def used(gateway: Gateway) -> float:
    """Processor seconds of the gateway's processes since they began.

    By their own clocks: what /proc says is in hundredths, for each of them rounded down.
    """
    seconds = 0.0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and os.getpgid(int(folder.name)) == gateway.process.pid:
                seconds += time.clock_gettime(~int(folder.name) << 3 | _ALL_THREADS)
        except OSError:
            continue
    return seconds


def each(do: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Do something with each of the arguments, several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda one: do(*one), arguments))


def pack_name(base: bytes, number: int) -> str:
    """The name of a pack; the store, not the gateway, hashes what a client sends directly."""
    return sha(pack(base, number))


def post_pack(holder: Holder, base: bytes, number: int) -> int:
    """Upload a pack through the gateway."""
    return post(holder, pack(base, number))


def put_pack(offer: dict[str, Any], base: bytes, number: int) -> int:
    """Upload a pack to the store."""
    return put(offer, pack(base, number))


def pack(base: bytes, number: int) -> bytes:
    """A pack of its own."""
    return number.to_bytes(8, "big") + base[8:]


def sha(content: bytes) -> str:
    """An object's name."""
    return hashlib.sha256(content).hexdigest()


def named(content: bytes) -> dict[str, str]:
    """An object in a request's body."""
    return {"name": sha(content), "body": base64.b64encode(content).decode()}


def post(holder: Holder, content: bytes) -> int:
    """Upload through the gateway, over a connection that is kept as clients do; the status."""
    connection = getattr(_kept, "connection", None)
    if connection is None:
        connection = _kept.connection = http.client.HTTPConnection("127.0.0.1", holder.port)
    where = f"/restic/{holder.vault}/data/{sha(content)}"
    connection.request("POST", where, content, {"Authorization": holder.authorization})
    with connection.getresponse() as answer:
        answer.read()
        return int(answer.status)


def put(offer: dict[str, Any], content: bytes) -> int:
    """Upload to the store; the status."""
    where = urlsplit(offer["url"])
    connection = http.client.HTTPConnection(where.netloc, timeout=120)
    connection.request("PUT", f"{where.path}?{where.query}", content, offer["headers"])
    with connection.getresponse() as answer:
        answer.read()
    connection.close()
    return answer.status


def require(wanted: list[Any], found: list[Any]) -> None:
    """Measure only what worked."""
    if found != wanted:
        raise SystemExit(f"It did not work: {found[:10]}")


def page(rows: Sequence[Row], crowd: Crowd, devices: int, load: float) -> str:
    """The page in Markdown."""
    lines = [
        "# What transfers cost the web process",
        "",
        f"Written by `python -m bench.transfers --write` on {time.strftime('%Y-%m-%d')}: one "
        "gateway process and a SeaweedFS",
        f"on the same machine ({os.cpu_count()} cores, shared with the client). Packs of "
        f"{PACK >> 20} MiB. Processor time is the",
        f"gateway's alone; before it, the machine had {load:.1f} processes running or waiting.",
        "",
        "| way | GiB | CPU-s per GiB | must | MB/s | control requests |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.what} | {row.size / GIB:.1f} | {row.per_gib:.3f} | {row.must} "
        f"| {row.size / row.wall / 1e6:.0f} | {row.requests or 'none'} |"
        for row in rows
    ]
    lines += [
        "",
        f"**{devices} devices at once** began a backup, uploaded 1 MiB through the gateway and "
        f"finished: {crowd.wall:.1f} s,",
        f"{crowd.cpu:.1f} CPU-s, {crowd.refused} times asked to come again. The process had "
        f"{crowd.before >> 20} MiB resident before,",
        f"{crowd.most >> 20} MiB at most, {crowd.after >> 20} MiB after.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
