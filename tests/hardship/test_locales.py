"""Arguments, lists and output beyond ASCII where text has eight bits, or seven."""

import json
import os
from pathlib import Path

import pytest

from tests.hardship.conftest import ASCII, OrdinaryAgent, give

NAMES = ["grün".encode(), "日本".encode(), b"plain", b"broken-\xff", "GRÜN-2".encode()]


@pytest.fixture
def source(own_folder: Path) -> Path:
    """A folder of names, and lists that speak of them, in UTF-8."""
    made = own_folder / "quelle-ü"
    made.mkdir()
    for name in NAMES:
        with open(os.path.join(os.fsencode(made), name), "wb") as file:
            file.write(name)
    (own_folder / "list").write_text(f"{made}/gr?n\n{made}/日*\n", encoding="utf-8-sig")
    (own_folder / "patterns").write_text("gr?n\n$WILD\n", encoding="utf-8")
    give(made)
    return made


@pytest.fixture(params=["ascii", "latin1"])
def agent(
    request: pytest.FixtureRequest, ordinary: OrdinaryAgent, latin1: dict[str, str]
) -> OrdinaryAgent:
    """The agent where the locale has no UTF-8."""
    ordinary.environment = (ASCII if request.param == "ascii" else latin1) | {"WILD": "日*"}
    return ordinary


def kept(agent: OrdinaryAgent) -> set[str]:
    """The names of the files in the last snapshot, as --json gives them."""
    lines = [json.loads(line) for line in agent.run("ls", "--json", "latest").splitlines()]
    files = (line["path"] for line in lines if line.get("type") == "file")
    return {path.rpartition("/")[2] for path in files}


ALL = {"grün", "日本", "plain", "broken-\\xff", "GRÜN-2"}


def test_excludes_are_utf8_whatever_the_locale(agent: OrdinaryAgent, source: Path) -> None:
    """Also in files, and in variables of the environment."""
    for options, left_out in (
        (["--exclude", "gr?n"], {"grün"}),
        (["--exclude", "grün", "--exclude", "日*"], {"grün", "日本"}),
        (["--iexclude", "grü*"], {"grün", "GRÜN-2"}),
        (["--exclude-file", str(source.parent / "patterns")], {"grün", "日本"}),
        (["--exclude", str(source / "grün")], {"grün"}),
        (["--exclude-if-present", "日本"], ALL - {"日本"}),
    ):
        arguments = [os.fsencode(option) for option in options]
        agent.run("backup", *arguments, os.fsencode(source))
        assert kept(agent) == ALL - left_out, options


def test_lists_of_paths_are_utf8_whatever_the_locale(agent: OrdinaryAgent, source: Path) -> None:
    agent.run("backup", "--files-from", str(source.parent / "list"))
    assert kept(agent) == {"grün", "日本"}


def test_what_is_restored_is_chosen_in_utf8(agent: OrdinaryAgent, source: Path) -> None:
    agent.run("backup", os.fsencode(source))
    for number, (options, chosen) in enumerate(
        (
            (["--include", "grün"], {"grün"}),
            (["--iinclude", "grü*"], {"grün", "GRÜN-2"}),
            (["--exclude", "日?", "--exclude", "gr*"], ALL - {"日本", "grün"}),
        )
    ):
        target = agent.home / f"target-{number}"
        agent.run("restore", "latest", "--target", str(target), *map(os.fsencode, options))
        found = [path for path in target.rglob("*") if path.is_file()]
        assert {path.name.replace("\udcff", "\\xff") for path in found} == chosen
    agent.run("restore", "latest", "--target", str(target), "--include", b"\xe4\xb8\xad", expect=1)


def test_tags_and_hosts_are_utf8_whatever_the_locale(agent: OrdinaryAgent, source: Path) -> None:
    tagged = [os.fsencode(text) for text in ("--tag", "grün", "--host", "日本", str(source))]
    agent.run("backup", *tagged)
    (snapshot,) = json.loads(agent.run("snapshots", "--json"))["snapshots"]
    assert (snapshot["tags"], snapshot["hostname"]) == (["grün"], "日本")
    assert snapshot["paths"] == [str(source)]
    for chosen in ("--tag=grün", "--host=日本", f"--path={source}"):
        said = agent.run("forget", os.fsencode(chosen), "--keep-last", "1", "--dry-run", "--json")
        (group,) = json.loads(said.splitlines()[-1])["groups"]
        assert len(group["keep"]) == 1
