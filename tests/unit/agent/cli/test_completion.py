"""Scripts for shells and the manual page: generated, whole, and understood by their readers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nightsafe.cli import build_parser, main
from nightsafe.cli.commands.completion import bash, describe, fish, man, zsh

from tests.support.programs import program

VERBS = [verb.name for verb in describe(build_parser()) if verb.name]


def find(tool: str) -> str:
    return program(tool)


def completed(line: str) -> list[str]:
    """What bash offers at the end of a command line."""
    script = bash(build_parser()) + (
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nightsafe; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    command = [find("bash"), "-c", script, "bash", *line.split(" ")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nightsafe sn", ["snapshots"]),
        ("nightsafe --js", ["--json"]),
        ("nightsafe backup --dry", ["--dry-run"]),
        ("nightsafe -q restore --tar", ["--target"]),
        ("nightsafe completion fi", ["fish"]),
        ("nightsafe backup --tag x", []),
        ("nightsafe backup some", []),
        ("nightsafe schedule ne", ["next"]),
        ("nightsafe schedule next --bl", ["--blackout"]),
    ],
)
def test_bash_completes(line: str, expected: list[str]) -> None:
    assert completed(line) == expected


def test_bash_knows_every_verb() -> None:
    assert [word for word in completed("nightsafe ") if not word.startswith("-")] == VERBS


@pytest.mark.parametrize("tool", ["zsh", "fish"])
def test_other_shells_can_read_theirs(tool: str, tmp_path: Path) -> None:
    text = {"zsh": zsh, "fish": fish}[tool](build_parser())
    (tmp_path / "script").write_text(text)
    command = [find(tool), "-n", str(tmp_path / "script")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_fish_completes(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(fish(build_parser()))
    ask = f"source {tmp_path}/script; complete --do-complete 'nightsafe sn'"
    command = [find("fish"), "--no-config", "-c", ask]
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=home)
    assert done.stdout.split()[0] == "snapshots"


@pytest.mark.parametrize("write", [bash, zsh, fish, man])
def test_each_names_every_verb_and_option(write: object) -> None:
    assert callable(write)
    text = write(build_parser()).replace("\\-", "-")
    for verb in describe(build_parser()):
        assert verb.name.upper() in text.upper()
        for flag in verb.flags:
            name = flag.names[-1]
            assert name in text or f"-l {name[2:]}" in text, (verb.name, name)


def test_the_manual_page_is_sound(tmp_path: Path) -> None:
    (tmp_path / "page").write_text(man(build_parser()))
    command = [find("man"), "--warnings", "-l", str(tmp_path / "page")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--dry-run" in done.stdout


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == bash(build_parser())
    code = "from nightsafe.cli import main; main(['completion', 'fish'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == fish(build_parser())
