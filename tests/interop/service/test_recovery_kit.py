"""A recovery kit's words open a vault at the service for the agent and for stock restic."""

from pathlib import Path

import pytest

from tests.interop.conftest import Agent, Restic
from tests.support.gateway import Gateway
from tests.support.interop.kits import code_on

pytestmark = pytest.mark.interop


def test_a_kit_is_a_second_key(
    gateway: Gateway, agent: Agent, restic: Restic, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "thesis").write_bytes(b"years of work")
    agent.init()
    paper = tmp_path / "kit.txt"
    agent.run("kit", "write", str(paper))
    agent.run("backup", str(tree))
    code = code_on(paper.read_text())

    for name in ("with nightsafe", "with restic"):
        target = tmp_path / name
        command = ["restore", "latest", "--target", str(target)]
        if name == "with nightsafe":
            agent.run(*command, NIGHTSAFE_PASSWORD=code.title())
        else:
            restic.run(*command, passphrase=code)
        restored = target / tree.relative_to("/") / "thesis"
        assert restored.read_bytes() == b"years of work"

    # Once there is a snapshot, only a window that the owner opens lets keys be changed.
    late = tmp_path / "late.html"
    done = agent.run("kit", "write", str(late), check=False)
    assert done.returncode == 1
    assert "“Change keys”" in done.stderr
    assert not late.exists()
