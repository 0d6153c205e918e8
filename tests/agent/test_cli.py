"""The command: what it prints, what it ends with, where its settings come from."""

import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nightsafe.cli import build_parser, main
from nightsafe.errors import SettingsError, UsageError
from nightsafe.keys import KdfParams
from nightsafe.localfolder import LocalFolder
from nightsafe.remote import Credential
from nightsafe.repository import Repository
from nightsafe.settings import Place, choose_passphrase, find_passphrase, find_patience, find_place
from nightsafe.state import Login, cache_dir, config_dir, load_login, login_path, save_login

from tests.agent.conftest import CHEAP, PASSPHRASE, copy_vault
from tests.agent.rest_server import SECRET, USER, RestServer, running_server
from tests.agent.tools import free_port

VERBS = ("login", "init", "backup", "snapshots", "ls", "restore", "check", "unlock")
MAIN = "from nightsafe.cli import main; raise SystemExit(main())"
Run = Any


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


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
    assert Path(f"{tmp_path}/t{source}/inner/two.txt").read_text() == "two\n"
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


def test_a_damaged_repository_is_one(run: Run, repository: Repository, source: Path) -> None:
    run("backup", source)
    for pack in Path(repository.storage.location, "data").rglob("*"):
        if pack.is_file():
            pack.unlink()
    status, out, err = run("check")
    assert status == 1
    assert "errors found" in out
    assert "is missing" in err


def test_a_dry_run(run: Run, source: Path) -> None:
    status, out, _ = run("backup", "--dry-run", source)
    assert status == 0
    assert "3 new" in out
    assert "saved" not in out
    assert "no snapshot yet" in run("snapshots")[1]


def test_unexpected_errors_are_one_line(
    run: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"with a secret: {PASSPHRASE}")

    monkeypatch.setattr("nightsafe.backup.backup", fail)
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
    monkeypatch.setattr("nightsafe.keys.KdfParams.__init__.__defaults__", (1 << 14, 8, 1))
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", "new one")
    folder = str(tmp_path / "new")
    assert main(["-r", folder, "init"]) == 0
    assert "your data is lost" in capsys.readouterr().err
    Repository.open(LocalFolder(folder), "new one")
    assert main(["init", "-r", folder]) == 1
    assert "already" in capsys.readouterr().err


class TestSettings:
    """Option, then environment, then login."""

    def test_nothing_given(self) -> None:
        with pytest.raises(SettingsError, match="nightsafe login"):
            find_place(None, os.environ)

    def test_order(self) -> None:
        save_login(Login("http://stored/v/", Credential("stored", "s")))
        assert find_place(None) == Place(
            url="http://stored/v/", credential=Credential("stored", "s")
        )
        environ = dict(os.environ, NIGHTSAFE_REPOSITORY="https://me:pw@host/v")
        assert find_place(None, environ) == Place("", "https://host/v/", Credential("me", "pw"))
        assert find_place("rest:http://option/v", environ) == Place("", "http://option/v/", None)
        assert find_place("http://stored/v", environ).credential == Credential("stored", "s")
        assert find_place("/some/folder", environ) == Place(folder="/some/folder")
        environ |= {"NIGHTSAFE_USERNAME": "u", "NIGHTSAFE_SECRET": "x"}
        assert find_place(None, environ).credential == Credential("u", "x")

    @pytest.mark.parametrize("url", ["http://u:secret@h/v", "rest:https://u:secret@h/v"])
    def test_no_secret_on_the_command_line(self, url: str) -> None:
        with pytest.raises(UsageError) as caught:
            find_place(url)
        assert "secret@" not in str(caught.value)

    def test_passphrases(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        file = tmp_path / "passphrase"
        file.write_bytes(b" with blanks \xff\r\n")
        assert find_passphrase({"NIGHTSAFE_PASSWORD": "x"}) == "x"
        from_file = find_passphrase({"NIGHTSAFE_PASSWORD_FILE": str(file)})
        assert from_file == " with blanks \udcff"
        for environ in ({}, {"NIGHTSAFE_PASSWORD_FILE": "/nowhere"}, {"NIGHTSAFE_PASSWORD": ""}):
            with pytest.raises(SettingsError):
                find_passphrase(environ)
            with pytest.raises(SettingsError):
                choose_passphrase(environ)
        file.write_text("\n")
        with pytest.raises(SettingsError, match="empty"):
            find_passphrase({"NIGHTSAFE_PASSWORD_FILE": str(file)})

    @pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
    def test_bad_patience(self, text: str) -> None:
        with pytest.raises(SettingsError):
            find_patience(None, {"NIGHTSAFE_PATIENCE": text})
        assert find_patience(None, {"NIGHTSAFE_PATIENCE": "7"}) == 7
        assert find_patience(3, {"NIGHTSAFE_PATIENCE": "7"}) == 3

    def test_folders(self, tmp_path: Path) -> None:
        assert config_dir() == str(tmp_path / "config-dir")
        assert cache_dir() == str(tmp_path / "cache-dir")
        assert "nightsafe" in config_dir({})

    def test_a_login_is_for_this_user_only(self) -> None:
        login = Login("http://h/v/", Credential("u", "secret"))
        for _ in range(2):
            path = save_login(login)
        assert load_login() == login
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        assert os.listdir(os.path.dirname(path)) == ["login.json"]

    def test_a_broken_login(self) -> None:
        save_login(Login("http://h/v/", Credential("u", "secret")))
        Path(login_path()).write_text("{}")
        with pytest.raises(SettingsError, match="nightsafe login"):
            load_login()


@pytest.fixture
def server() -> Iterator[RestServer]:
    with running_server() as server:
        yield server


def log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, *options: str) -> int:
    file = tmp_path / "input"
    file.write_text(text)
    with open(file) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        return main(["--patience", "0", "login", *options])


def connect_string(server: RestServer, secret: str = SECRET) -> str:
    from urllib.parse import quote

    return server.url.replace("//", f"//{USER}:{quote(secret, safe='')}@")


@pytest.mark.parametrize("form", ["one line", "three lines", "option"])
def test_login(
    server: RestServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: str,
) -> None:
    match form:
        case "one line":
            status = log_in(monkeypatch, tmp_path, connect_string(server) + "\n")
        case "three lines":
            status = log_in(monkeypatch, tmp_path, f"{server.url}\n{USER}\n{SECRET}\n")
        case _:
            status = log_in(monkeypatch, tmp_path, f"{USER}\n{SECRET}\n", "-r", server.url)
    assert status == 0
    captured = capsys.readouterr()
    assert "nightsafe init" in captured.out
    assert SECRET not in captured.out + captured.err
    assert load_login() == Login(server.url, Credential(USER, SECRET))


def test_login_finds_a_ready_vault(
    server: RestServer,
    vault: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy_vault(vault, find_place(None, {"NIGHTSAFE_REPOSITORY": connect_string(server)}).open())
    assert log_in(monkeypatch, tmp_path, connect_string(server), "--json") == 0
    (result,) = lines(capsys.readouterr().out)
    assert result["vault"] == "ready"
    assert result["username"] == USER
    assert SECRET not in json.dumps(result)


def test_a_refused_login_is_not_stored(
    server: RestServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = connect_string(server, "wrong-secret")
    assert log_in(monkeypatch, tmp_path, wrong) == 1
    captured = capsys.readouterr()
    assert "does not accept this credential" in captured.err
    assert "wrong-secret" not in captured.out + captured.err
    assert load_login() is None
    nobody = f"http://u:s@127.0.0.1:{free_port()}/v/"
    assert log_in(monkeypatch, tmp_path, nobody) == 1
    assert log_in(monkeypatch, tmp_path, "/a/folder") == 1
    assert log_in(monkeypatch, tmp_path, f"{server.url}\n\n") == 1
    assert load_login() is None


def test_backup_to_a_server_after_login(
    server: RestServer,
    vault: Repository,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy_vault(vault, find_place(None, {"NIGHTSAFE_REPOSITORY": connect_string(server)}).open())
    assert log_in(monkeypatch, tmp_path, connect_string(server)) == 0
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    assert main(["backup", str(source)]) == 0
    assert main(["restore", "latest", "--target", str(tmp_path / "t")]) == 0
    assert Path(f"{tmp_path}/t{source}/one.txt").read_text() == "one\n"
    server.fail(method="POST", path="snapshots/", status=507, text="Your plan is full.")
    capsys.readouterr()
    assert main(["backup", str(source)]) == 1
    assert "Your plan is full." in capsys.readouterr().err
    assert not [path for path in server.objects if path.startswith("locks/")]


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
    copy_vault(vault, find_place(None, {"NIGHTSAFE_REPOSITORY": connect_string(server)}).open())
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


def test_cheap_parameters_are_the_least_accepted() -> None:
    CHEAP.check()
    assert KdfParams(1 << 14, 8, 1) == CHEAP
