"""Command lines: options and what they are about stand in any order, as with stock restic."""

from pathlib import Path

import pytest
from nightsafe.cli import build_parser, main
from nightsafe.repository.repository import Repository

from tests.unit.agent.conftest import PASSPHRASE

PARSER = build_parser()


def parsed(line: str) -> dict[str, object]:
    return vars(PARSER.parse_args(line.split(" ")))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("backup a --tag x b", {"paths": ["a", "b"], "tag": ["x"]}),
        ("backup --tag x a -n b -ex c", {"paths": ["a", "b", "c"], "exclude": ["x"]}),
        ("backup a -nfe x b", {"paths": ["a", "b"], "exclude": ["x"], "dry_run": True}),
        ("backup a -r /vault b -q c", {"paths": ["a", "b", "c"], "repository": "/vault"}),
        ("backup a --repo /vault b", {"paths": ["a", "b"], "repository": "/vault"}),
        ("backup a --exclude=x b", {"paths": ["a", "b"], "exclude": ["x"]}),
        ("-q backup a --tag x b", {"paths": ["a", "b"], "quiet": True}),
        ("backup a -n -- -b --tag", {"paths": ["a", "-b", "--tag"], "dry_run": True}),
        ("backup -- a -n", {"paths": ["a", "-n"], "dry_run": False}),
        ("backup a -n -- b", {"paths": ["a", "b"]}),
        ("backup a -n - b", {"paths": ["a", "-", "b"]}),
        ("ls latest -l /one /two", {"snapshot": "latest", "paths": ["/one", "/two"]}),
        ("ls -l latest -- /one", {"snapshot": "latest", "paths": ["/one"]}),
        ("ls -l -- latest -one", {"snapshot": "latest", "paths": ["-one"], "long": True}),
        ("ls latest --tag x /one", {"snapshot": "latest", "paths": ["/one"], "tag": ["x"]}),
        ("snapshots a --json b", {"snapshots": ["a", "b"], "json": True}),
        ("forget a --yes b -c", {"snapshots": ["a", "b"], "yes": True}),
        ("forget -l 3 a --prune b", {"snapshots": ["a", "b"], "keep_last": 3}),
        ("restore --target t latest -n", {"snapshot": "latest", "target": "t"}),
        ("restore -t t -- latest", {"snapshot": "latest", "target": "t"}),
        ("completion -q bash", {"shell": "bash"}),
    ],
)
def test_options_stand_anywhere(line: str, expected: dict[str, object]) -> None:
    found = parsed(line)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("backup a --nosuch b", "unrecognized arguments: --nosuch"),
        ("backup a --exclude-l", "argument --exclude-larger-than: expected one argument"),
        ("backup a --exclude", "argument -e/--exclude: expected one argument"),
        ("backup a --tag -- b", "argument --tag: expected one argument"),
        ("backup a --files b", "ambiguous option: --files"),
        ("prune a -n b", "unrecognized arguments: a b"),
        ("restore -t t latest b", "unrecognized arguments: b"),
        ("ls -l", "the following arguments are required: snapshot"),
    ],
)
def test_what_makes_no_sense_is_still_refused(
    line: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(line)
    assert ended.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize(
    "line",
    [
        *("snapshots -r", "snapshots --repo", "snapshots -p", "snapshots --password-command"),
        *(
            "snapshots --cacert",
            "snapshots --path",
            "restore latest -t",
            "ls latest",
            "ls latest /a",
        ),
        *("backup a --files-from", "backup a --exclude-file", "prune --max-repack-size"),
        *("forget --keep-within", "forget --keep-within-daily", "check --read-data-subset"),
    ],
)
def test_what_is_given_is_not_empty(
    line: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a shell gives what it knows no value of; a stored login must not stand in for that."""
    with pytest.raises(SystemExit) as ended:
        PARSER.parse_args([*line.split(" "), value])
    assert ended.value.code == 2
    assert "it is given, but empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("snapshots --patience abc", "'abc' is no number of seconds, such as 900"),
        ("snapshots --patience inf", "'inf' is no number of seconds, such as 900"),
        ("snapshots --latest x", "'x' is no whole number from 0 on"),
        ("backup a --workers -1", "'-1' is no whole number from 0 to 64"),
        ("restore latest -t t --workers 65", "'65' is no whole number from 0 to 64"),
        ("forget --keep-last all", "'all' is no number, such as 7, and not unlimited"),
        (
            "backup a --exclude-larger-than big",
            "'big' is not a size; write it like 100K, 20M or 3G.",
        ),
    ],
)
def test_what_is_no_number(line: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        PARSER.parse_args(line.split(" "))
    assert capsys.readouterr().err.rstrip().endswith(text)


def test_an_empty_source_makes_a_backup_incomplete(
    repository: Repository,
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest is stored: a nightly backup with a variable that is not set is better than none."""
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    place = repository.storage.location
    assert main(["backup", "-r", place, str(source), ""]) == 3
    said = capsys.readouterr()
    assert "3 new" in said.out
    assert "perhaps a variable is not set" in said.err
    assert main(["backup", "-r", place, ""]) == 1


def test_every_exit_status_is_in_the_help() -> None:
    text = build_parser().format_help().partition("Exit status:")[2]
    assert [word for word in text.split() if word.isdecimal()] == ["0", "1", "2", "3", "130"]


@pytest.mark.parametrize("verb", ["ls", "restore"])
def test_advice_is_of_the_verbs_own_options(
    repository: Repository,
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    place = ["-r", repository.storage.location]
    assert main([*place, "backup", str(source)]) == 0
    more = ["-t", str(source / "out")] if verb == "restore" else []
    assert main([*place, verb, f"latest:{source}/one.txt", *more]) == 1
    said = capsys.readouterr().err
    assert "holds no folder" in said
    assert ("--include" in said) == (verb == "restore")
