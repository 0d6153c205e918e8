"""A network that drops, delays and cuts at random: slower, but nothing is lost or wrong."""

import dataclasses
import random
from pathlib import Path

import pytest

from tests.interop.conftest import Agent, Restic, portrait
from tests.support.gateway import Gateway
from tests.support.interop.proxy import StormyProxy

pytestmark = pytest.mark.interop


@pytest.mark.any_restic
def test_backups_and_restores_in_a_storm(
    gateway: Gateway, agent: Agent, restic: Restic, tree: Path, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    agent.init()
    (tree / "more").write_bytes(chance.randbytes(60_000_000))
    with StormyProxy(gateway.port, chance) as proxy:
        unlucky = Agent(dataclasses.replace(agent.holder, port=proxy.port), agent.home)
        for number in range(2):
            (tree / "changing").write_bytes(chance.randbytes(9_000_000))
            unlucky.run("backup", str(tree))
            out = tmp_path / f"out-{number}"
            unlucky.run("restore", "latest", "--target", str(out))
            assert portrait(out / tree.relative_to("/")) == _without_sockets(tree)
        unlucky.run("check", "--read-data")
    assert sum(proxy.harm.values()) >= 10, proxy.harm
    restic.run("check", "--read-data")


def _without_sockets(tree: Path) -> dict[bytes, tuple[object, ...]]:
    found = portrait(tree)
    del found[b"socket"]
    return found
