"""Stock restic and the agent at a vault that is being deleted: they say why, and end at once."""

import time

import pytest

from tests.interop.conftest import Agent, Restic
from tests.support.gateway import Gateway

pytestmark = pytest.mark.interop
SAID = "This vault is being deleted, as was asked on its page, which can also keep it"
ASK = """
from accounts.audit import SERVICE
from storage.deletion import whole_vaults
from storage.models import Vault
whole_vaults.ask(Vault.objects.get(public_id="{vault}"), actor=SERVICE)
whole_vaults.remove_due(seconds=10)
"""


def test_both_say_why_and_end_soon(gateway: Gateway, restic: Restic, agent: Agent) -> None:
    restic.init()
    gateway.shell(ASK.format(vault=restic.holder.vault))
    begun = time.monotonic()
    for done in (
        restic.run("snapshots", check=False),
        restic.run("backup", "/etc/hostname", check=False),
        agent.run("snapshots", check=False),
        agent.run("backup", "/etc/hostname", check=False),
        agent.run("restore", "latest", "--target", "/nowhere", check=False),
        agent.run("init", check=False),
    ):
        assert done.returncode != 0
        assert SAID in " ".join(done.stderr.split()), done
        assert "no repository" not in done.stderr
    assert time.monotonic() - begun < 60  # restic repeats what it takes for a fault for 15 minutes
