"""What is said reaches whoever listens, whatever their streams can encode."""

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightsafe.cli import main
from nightsafe.repository.repository import Repository

from tests.unit.agent.conftest import PASSPHRASE

AGENT = Path(sys.executable).with_name("nightsafe")
NAMES = [
    "grün".encode(),
    "日本".encode(),
    b"broken-\xff\xfe",
    "😀".encode(),
    b"\xed\xa0\x80",
    b"a\\b",
]
ENCODINGS = ["ascii", "cp1252", "utf-8"]
"""Of old locales, of a pipe on Windows, and of everybody else; errors are strict in all."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "sourcé"
    made.mkdir()
    for name in NAMES:
        with open(os.path.join(os.fsencode(made), name), "wb") as file:
            file.write(name)
    return made


@pytest.fixture(autouse=True)
def _vault(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)


def said(encoding: str, *arguments: str, expect: int = 0) -> tuple[bytes, bytes]:
    """Run a command; returns what it says on both streams, which are as a process has them that
    was started with this encoding."""
    files = io.BytesIO(), io.BytesIO()
    out, errors = (io.TextIOWrapper(file, encoding, "strict") for file in files)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status: object = main(list(arguments))
        except SystemExit as end:
            status = end.code
    for stream in (out, errors):
        stream.flush()
    assert status == expect, (arguments, *(file.getvalue() for file in files))
    return files[0].getvalue(), files[1].getvalue()


def said_by_a_process(encoding: str, *arguments: str, expect: int = 0) -> tuple[bytes, bytes]:
    """The same of a process of its own."""
    environment = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict"}
    done = subprocess.run(
        [str(AGENT), *arguments], env=environment, capture_output=True, check=False
    )
    assert done.returncode == expect, (arguments, done.stdout, done.stderr)
    return done.stdout, done.stderr


def loaded(out: bytes, encoding: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.decode(encoding).splitlines()]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_says_what_it_can(encoding: str, source: Path, tmp_path: Path) -> None:
    tags = ["--tag", "日本", "--host", "grün"]
    command = ["backup", "--verbose", "--json", *tags, str(source), str(source / "ü-none")]
    expected = {"grün", "日本", r"broken-\xff\xfe", "😀", r"\xed\xa0\x80", "a\\b"}
    before = loaded(said_by_a_process(encoding, *command, expect=3)[0], encoding)
    shown = {str(event["path"]).rpartition("/")[2] for event in before if event["event"] == "file"}
    assert shown == expected
    target = ["--target", str(tmp_path / "ziel-日")]
    for command in (
        ["backup", "--dry-run", "--verbose", str(source), "--exclude", "*日*"],
        ["backup", "--show-excludes", "--exclude", "*日*"],
        ["snapshots"],
        ["ls", "latest"],
        ["restore", "latest", *target],
        ["forget", "--keep-last", "5", "--dry-run"],
        ["check"],
    ):
        said(encoding, *command)
        assert loaded(said(encoding, *command, "--json")[0], encoding)
    missing = ["restore", "latest", "--include", "日", *target]
    assert b"Traceback" not in said(encoding, *missing, expect=1)[1]
    said(encoding, "backup", "--files-from", "日-none", expect=1)
    said(encoding, "日", expect=2)
    out, _ = said_by_a_process(encoding, "ls", "latest", str(source), "--json")
    listed = loaded(out, encoding)
    assert {str(entry["path"]).rpartition("/")[2] for entry in listed[1:]} == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_bar_shows_what_it_can(encoding: str, source: Path) -> None:
    """In a terminal, with a file that cannot be read beside the others."""
    done, text = at_a_terminal(encoding, ["backup", str(source), str(source / "ü-none")])
    assert done == 3
    assert "ü-none".encode(encoding, "backslashreplace") in text
    assert b"Traceback" not in text


def at_a_terminal(encoding: str, arguments: list[str]) -> tuple[int, bytes]:
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict", "TERM": "xterm"}
    environment["COLUMNS"] = "500"  # long paths are not broken into lines
    with subprocess.Popen(
        [str(AGENT), *arguments], env=environment, stdout=theirs, stderr=theirs, stdin=theirs
    ) as process:
        os.close(theirs)
        text = b"".join(chunks(ours))
    os.close(ours)
    return process.returncode, text


def chunks(fd: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:  # nobody writes any more
            return
        if not data:
            return
        yield data
