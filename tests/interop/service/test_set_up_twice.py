"""A second `init` of a vault does no harm, asks for nothing, and is no news."""

import pytest

from tests.interop.conftest import Agent
from tests.support.gateway import Gateway

pytestmark = pytest.mark.interop


def test_the_agent_says_what_is_there_and_what_to_do(gateway: Gateway, agent: Agent) -> None:
    agent.init()
    done = agent.run("init", check=False)
    assert done.returncode != 0
    assert "Beware" not in done.stderr
    assert "There is a repository already" in done.stderr
    assert "`nightsafe backup`" in done.stderr
