"""The command: what it prints, what it ends with, where its settings come from."""

import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.chunker.chunker import Chunker
from nightsafe.cli import build_parser, main
from nightsafe.file_saver.worker import WorkerSetup
from nightsafe.repofile.key import KdfParams
from nightsafe.repository.repository import Repository
from nightsafe.settings.location import find_location

from tests.support.agent.rest_server import RestServer, connect_string
from tests.support.repositories import CHEAP, add_key
from tests.unit.agent.conftest import PASSPHRASE, copy_vault

VERBS = (
    "login",
    "init",
    "backup",
    "snapshots",
    "ls",
    "restore",
    "check",
    "unlock",
    "forget",
    "prune",
)
MAIN = "from nightsafe.cli import main; raise SystemExit(main())"
Run = Any


@pytest.fixture
def run(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command on `repository`: (exit status, standard output, standard error)."""
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)

    def command(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_whole_life(run: Run, source: Path, tmp_path: Path) -> None:
    status, out, _ = run("backup", source, "--tag", "first")
    assert status == 0
    assert "3 new, 0 changed, 0 unchanged files" in out
    status, out, _ = run("snapshots")
    assert status == 0
    assert f":{source} [first]" in out
    short_id = out.split()[0]
    status, out, _ = run("ls", short_id, source / "inner")
    assert out.splitlines() == [f"{source}/inner", f"{source}/inner/two.txt"]
    assert "file      644" in run("ls", "-l", "latest")[1]
    status, out, _ = run("restore", "latest", "--target", tmp_path / "t", "--include", source)
    assert status == 0
    assert "restored 3 files, " in out
    assert Path(f"{tmp_path}/t{source}/inner/two.txt").read_text() == "two\n"
    status, out, _ = run("restore", "latest", "-t", tmp_path / "u", "--include", "two.txt")
    assert "restored 1 file, " in out
    status, out, _ = run("restore", "latest", "-t", tmp_path / "u", "--include", "two.txt", "-n")
    assert "would restore 0 files, " in out
    assert "\n1 entry would be left unchanged\n" in out
    status, out, _ = run("check", "--read-data")
    assert status == 0
    assert "no errors found" in out
    assert run("unlock") == (0, "0 locks removed\n", "")


def test_json_of_every_verb(run: Run, source: Path, tmp_path: Path) -> None:
    (summary,) = lines(run("backup", "--json", source)[1])
    assert summary["event"] == "summary"
    assert summary["files_new"] == 3
    assert summary["complete"] is True
    (listed,) = lines(run("snapshots", "--json")[1])
    assert [s["id"] for s in listed["snapshots"]] == [summary["snapshot_id"]]
    entries = lines(run("ls", "--json", "latest")[1])
    assert {e["path"] for e in entries} >= {f"{source}/one.txt"}
    (restored,) = lines(run("restore", "--json", "latest", "--target", tmp_path / "t")[1])
    assert (restored["files"], restored["complete"]) == (3, True)
    (checked,) = lines(run("check", "--json")[1])
    assert (checked["sound"], checked["errors"]) == (True, [])
    assert lines(run("unlock", "--json")[1]) == [{"removed": 0}]


def test_an_error_in_json(run: Run) -> None:
    status, out, err = run("restore", "--json", "latest", "--target", "/nowhere")
    assert status == 1
    assert lines(out)[0]["event"] == "error"
    assert lines(out)[0]["exit_status"] == 1
    assert err.startswith("nightsafe: This repository holds no snapshot yet")


def test_quiet_says_nothing_of_success(run: Run, source: Path) -> None:
    assert run("backup", "-q", source) == (0, "", "")


def test_incomplete_is_three(run: Run, source: Path, tmp_path: Path) -> None:
    status, out, err = run("backup", "-q", source, source / "missing")
    assert status == 3
    assert err.count("\n") == 1
    assert "missing" in err
    status, out, _ = run("backup", source, source / "missing", "--json")
    issue, summary = lines(out)
    assert (issue["event"], issue["kind"]) == ("issue", "unreadable")
    assert summary["complete"] is False
    target = tmp_path / "t"
    Path(f"{target}{source}/one.txt/x").mkdir(parents=True)
    assert run("restore", "latest", "--target", target)[0] == 3


def test_failure_is_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("backup", tmp_path / "missing")[0] == 1
    assert run("ls", "abc")[0] == 1
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", "wrong")
    status, _, err = run("snapshots")
    assert status == 1
    assert err.startswith("nightsafe: Wrong passphrase")
    assert err.count("\n") == 1


def test_of_a_weak_key_is_said_once(run: Run, repository: Repository, source: Path) -> None:
    (strong,) = repository.storage.list(ObjectKind.KEY)
    add_key(repository.storage, repository.master, PASSPHRASE, KdfParams(1 << 13, 8, 1))
    repository.storage.remove(ObjectKind.KEY, strong.name)
    for arguments in (["backup", source], ["snapshots", "--json"], ["check"]):
        status, _, err = run(*arguments)
        assert (status, err.count("restic key passwd")) == (0, 1)
    assert run("snapshots", "--quiet") == (0, "", "")


def test_a_damaged_repository_is_one(run: Run, repository: Repository, source: Path) -> None:
    run("backup", source)
    for pack in Path(repository.storage.location, "data").rglob("*"):
        if pack.is_file():
            pack.unlink()
    status, out, err = run("check")
    assert status == 1
    assert "1 snapshot, 1 tree, 2 packs\n" in out
    assert "errors found" in out
    assert "is missing." in err
    assert "nothing is lost" not in err


def test_new_and_changed_files_are_named_on_request(run: Run, source: Path) -> None:
    assert "one.txt" not in run("backup", source)[1]
    (source / "one.txt").write_text("other")
    (source / "three\n.txt").write_text("three")
    for option in ("--dry-run", "--verbose"):
        status, out, _ = run("backup", option, source)
        assert status == 0
        assert f"changed   {source}/one.txt (5 B)\n" in out
        assert f"new       {source}/three\\n.txt (5 B)\n" in out
        assert "two.txt" not in out, "it is unchanged"
    (source / "one.txt").write_text("once more")
    _, out, _ = run("backup", "-v", "--json", source)
    events = [json.loads(line) for line in out.splitlines()]
    files = [event for event in events if event["event"] == "file"]
    path = str(source / "one.txt")
    assert files == [{"event": "file", "state": "changed", "path": path, "bytes": 9}]


def test_a_dry_run(run: Run, source: Path) -> None:
    status, out, _ = run("backup", "--dry-run", source)
    assert status == 0
    assert "3 new" in out
    assert "saved" not in out
    assert "no snapshot yet" in run("snapshots")[1]


@pytest.mark.parametrize("chunker", ["gear", "restic"])
def test_a_chunker(
    run: Run, repository: Repository, source: Path, chunker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "cut").write_bytes(random.Random(1).randbytes(3 << 20))
    used: list[str] = []
    new_chunker = WorkerSetup.new_chunker

    def note(setup: WorkerSetup) -> Chunker:
        used.append(setup.chunker)
        return new_chunker(setup)

    monkeypatch.setattr(WorkerSetup, "new_chunker", note)
    assert run("backup", "--chunker", chunker, source)[0] == 0
    assert set(used) == {chunker}
    assert run("backup", source)[0] == 0
    assert set(used) == {chunker, ""}


def test_an_unknown_chunker(run: Run, capsys: pytest.CaptureFixture[str], source: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        run("backup", "--chunker", "buzhash", source)
    assert ended.value.code == 2
    assert "invalid choice: 'buzhash'" in capsys.readouterr().err
    assert "no snapshot yet" in run("snapshots")[1]


def test_help_says_what_a_chunker_costs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["backup", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for part in ("{gear,restic}", "shared with snapshots", "hides less", "slower"):
        assert part in text


def test_unexpected_errors_are_one_line(
    run: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"with a secret: {PASSPHRASE}")

    monkeypatch.setattr("nightsafe.archiver.backup.backup", fail)
    status, _, err = run("backup", source)
    assert status == 1
    assert "RuntimeError" in err
    assert PASSPHRASE not in err
    assert err.count("\n") == 1
    monkeypatch.setenv("NIGHTSAFE_DEBUG", "1")
    with pytest.raises(RuntimeError):
        run("backup", source)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("--repository", "--json", "--quiet", "--no-progress", "With --json:"):
        assert part in text


def test_general_help_names_verbs_environment_and_status() -> None:
    text = build_parser().format_help()
    for part in (*VERBS, "NIGHTSAFE_PASSWORD_FILE", "NIGHTSAFE_REPOSITORY", "Exit status"):
        assert part in text


def test_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nightsafe.repofile.key.KdfParams.__new__.__defaults__", (1 << 14, 8, 1))
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", "new one")
    folder = str(tmp_path / "new")
    assert main(["-r", folder, "init"]) == 0
    assert "your data is lost" in capsys.readouterr().err
    Repository.open(LocalBackend(folder), "new one")
    assert main(["init", "-r", folder]) == 1
    assert "already" in capsys.readouterr().err


def process(*arguments: str, **environ: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=os.environ | environ,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_gives_its_lock_back(
    server: RestServer, vault: Repository, source: Path, number: signal.Signals
) -> None:
    copy_vault(vault, find_location(None, {"NIGHTSAFE_REPOSITORY": connect_string(server)}).open())
    server.fail(method="POST", path="data/", status=503, headers={"Retry-After": "30"}, times=99)
    running = process(
        "backup",
        str(source),
        NIGHTSAFE_REPOSITORY=connect_string(server),
        NIGHTSAFE_PASSWORD=PASSPHRASE,
    )
    deadline = time.monotonic() + 20
    while not any(method == "POST" and "data/" in path for method, path in server.requests):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert any(path.startswith("locks/") for path in server.objects)
    running.send_signal(number)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert err == "nightsafe: Interrupted. What was stored so far is used by the next run.\n"
    assert not any(path.startswith("locks/") for path in server.objects)


def test_a_bar_on_a_terminal(repository: Repository, source: Path) -> None:
    leader, terminal = pty.openpty()
    environ = {
        "NIGHTSAFE_REPOSITORY": repository.storage.location,
        "NIGHTSAFE_PASSWORD": PASSPHRASE,
        "TERM": "xterm",
        "COLUMNS": "120",
    }
    (source / "big").write_bytes(os.urandom(3 << 20))
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "backup", str(source), str(source / "missing")],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=os.environ | environ,
        timeout=30,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert done.returncode == 3
    assert b"backup" in shown
    assert b"files" in shown
    assert b"missing: No such file or directory" in shown.replace(b"\r\n", b"")


def test_starting_up_imports_nothing_heavy() -> None:
    code = (
        "import sys; from nightsafe.cli import build_parser; build_parser(); "
        "print([m for m in ('rich', 'urllib3', 'cryptography', 'zstandard', 'pyfastcdc', "
        "'orjson', 'platformdirs') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_verb_in_front_is_the_only_one_that_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; from nightsafe.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(sorted(m for m in sys.modules if 'cli.' in m))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run([*command, "ls", "--help"], capture_output=True, text=True, check=True)
    alone, _, loaded = done.stdout.rpartition("\n[")
    needed = ["arguments", "commands", "commands.ls", "format", "options", "output"]
    needed.append("snapshot_options")
    assert loaded == ", ".join(f"'nightsafe.cli.{name}'" for name in needed) + "]\n"
    with pytest.raises(SystemExit):
        build_parser().parse_args(["ls", "--help"])
    assert capsys.readouterr().out == alone + "\n"
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert all(f"nightsafe.cli.commands.{verb}" in done.stdout for verb in VERBS)


def test_cheap_parameters_are_the_least_accepted() -> None:
    CHEAP.check()
    assert KdfParams(1 << 14, 8, 1) == CHEAP
