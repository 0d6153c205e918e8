"""A vault far away with many snapshots, which several programs list."""

import atexit
import contextlib
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from nightsafe.backend.base import CONNECTIONS, ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.repository import Repository
from nightsafe.workers.threads import several

from bench import measure
from bench.delay import DelayingProxy
from bench.measure import Cost
from bench.peers import PASSPHRASE, Peer
from tests.support.gateway import Holder, start_gateway

ROUND_TRIP = 0.025
SNAPSHOTS = 1000
_HOUR = 3600 * 10**9


@cache
def far_vault(scratch: Path) -> Holder:
    """A vault of a gateway of this computer, behind a proxy that delays; both until the end."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(_served(scratch))


@contextlib.contextmanager
def _served(scratch: Path) -> Iterator[Holder]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        gateway = start_gateway(Path(folder))
        try:
            holder = gateway.vault(gateway.customer())
            _fill(holder)
            with DelayingProxy(gateway.port, ROUND_TRIP) as proxy:
                yield Holder(proxy.port, holder.vault, holder.username, holder.secret)
        finally:
            gateway.stop()


def _fill(holder: Holder) -> None:
    storage = RestBackend(holder.url, Credential(holder.username, holder.secret))
    repository = Repository.create(storage, PASSPHRASE)

    def save(number: int) -> None:
        snapshot = Snapshot(
            time=1_700_000_000 * 10**9 + number * _HOUR,
            tree=bytes(32),
            paths=("/home", "/etc"),
            hostname=f"computer-{number % 7}",
            username="somebody",
        )
        sealed = repository.seal_text(snapshot.encode(), sealer=repository.new_sealer())
        storage.save(ObjectKind.SNAPSHOT, *sealed)

    for _ in several(save, range(SNAPSHOTS), threads=CONNECTIONS):
        pass
    storage.close()


def list_snapshots(peer: Peer, holder: Holder) -> Cost:
    """List them all; FailedError where a program cannot."""
    peer.place.mkdir(parents=True, exist_ok=True)
    return measure.run(
        peer.list_command(),
        environment={**peer.environment, **peer.far_environment(holder)},
        folder=peer.place,
        freshen=False,
    )
