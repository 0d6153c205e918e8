"""Settings and login: where repository, credential and passphrase come from."""

import io
import json
import os
import stat
from pathlib import Path

import pytest
from nightsafe.backend.rest_url import Credential
from nightsafe.cli import main
from nightsafe.errors import SettingsError, UsageError
from nightsafe.repository.repository import Repository
from nightsafe.settings.location import RepositoryLocation, find_location, find_patience
from nightsafe.settings.login import (
    Login,
    cache_dir,
    config_dir,
    load_login,
    login_path,
    save_login,
)
from nightsafe.settings.passphrase import choose_passphrase, find_passphrase

from backup_service.embedded.ports import any_port
from tests.support.agent.rest_server import SECRET, USER, RestServer, connect_string
from tests.unit.agent.cli.test_cli import lines
from tests.unit.agent.conftest import PASSPHRASE, copy_vault


def test_no_command_makes_a_folder_of_an_unknown_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    for command in (["init"], ["backup", "/etc/hostname"], ["snapshots"], ["login"]):
        assert main(["-r", "sftp:me@host:/srv", *command]) == 1
        assert "local:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class TestSettings:
    """Option, then environment, then login."""

    def test_nothing_given(self) -> None:
        with pytest.raises(SettingsError, match="nightsafe login"):
            find_location(None, os.environ)

    def test_order(self) -> None:
        save_login(Login("http://stored/v/", Credential("stored", "s")))
        assert find_location(None) == RepositoryLocation(
            url="http://stored/v/", credential=Credential("stored", "s")
        )
        environ = dict(os.environ, NIGHTSAFE_REPOSITORY="https://me:pw@host/v")
        assert find_location(None, environ) == RepositoryLocation(
            "", "https://host/v/", Credential("me", "pw")
        )
        assert find_location("rest:http://option/v", environ) == RepositoryLocation(
            "", "http://option/v/", None
        )
        assert find_location("http://stored/v", environ).credential == Credential("stored", "s")
        assert find_location("/some/folder", environ) == RepositoryLocation(folder="/some/folder")
        environ |= {"NIGHTSAFE_USERNAME": "u", "NIGHTSAFE_SECRET": "x"}
        assert find_location(None, environ).credential == Credential("u", "x")

    @pytest.mark.parametrize("url", ["http://u:secret@h/v", "rest:https://u:secret@h/v"])
    def test_no_secret_on_the_command_line(self, url: str) -> None:
        with pytest.raises(UsageError) as caught:
            find_location(url)
        assert "secret@" not in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "url"),
        [
            ("HTTPS://Host.Example/v", "https://host.example/v/"),
            ("Rest:Http://h/v/", "http://h/v/"),
            (" rest:HTTPS://h/v", "https://h/v/"),
        ],
    )
    def test_schemes_in_any_case(self, text: str, url: str) -> None:
        assert find_location(text) == RepositoryLocation(url=url)

    @pytest.mark.parametrize(
        ("text", "folder"),
        [
            ("local:/srv/r", "/srv/r"),
            ("LOCAL:a:b", "a:b"),
            ("local:http://h/", "http://h/"),
            ("./a:b", "./a:b"),
            ("/srv/http:x", "/srv/http:x"),
            ("a/b:c", "a/b:c"),
            ("C:/backup", "C:/backup"),
            ("d:\\backup", "d:\\backup"),
            ("https", "https"),
        ],
    )
    def test_addresses_of_folders(self, text: str, folder: str) -> None:
        assert find_location(text) == RepositoryLocation(folder=folder)

    @pytest.mark.parametrize(
        "text",
        [
            *("sftp:me@host:/srv", "s3:s3.amazonaws.com/b", "b2:b:p", "gs:b:/", "azure:c:/", "x:y"),
            *("rclone:r:p", "swift:c:/", "htps://h/v/", "ftp://h", "https//h/v", "local:", ":x"),
            *("http:/h/v", "https:h", "rest:/srv", "rest:local:/srv", "c:backup", "file:///srv"),
        ],
    )
    def test_what_nothing_here_knows(self, text: str, tmp_path: Path) -> None:
        """From the option and from the environment, and no folder of that name is made."""
        for option, environ in ((text, {}), (None, {"NIGHTSAFE_REPOSITORY": text})):
            with pytest.raises(SettingsError, match=r"http|names no folder"):
                find_location(option, environ)

    def test_an_unknown_address_is_not_shown_whole(self) -> None:
        """It may hold a secret."""
        for text in ("ftp://me:secret@host/", "me:secret@host", "https//me:secret@host"):
            with pytest.raises(SettingsError) as caught:
                find_location(text)
            assert "secret" not in str(caught.value)

    def test_passphrases(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        file = tmp_path / "passphrase"
        file.write_bytes(b" with blanks \xff\r\n")
        assert find_passphrase({"NIGHTSAFE_PASSWORD": "x"}).text == "x"
        from_file = find_passphrase({"NIGHTSAFE_PASSWORD_FILE": str(file)})
        assert from_file == ("with blanks \udcff", (" with blanks \udcff",))
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


def log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, *options: str) -> int:
    file = tmp_path / "input"
    file.write_text(text)
    with open(file) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        return main(["--patience", "0", "login", *options])


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
    copy_vault(vault, find_location(None, {"NIGHTSAFE_REPOSITORY": connect_string(server)}).open())
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
    nobody = f"http://u:s@127.0.0.1:{any_port()}/v/"
    assert log_in(monkeypatch, tmp_path, nobody) == 1
    assert log_in(monkeypatch, tmp_path, "/a/folder") == 1
    assert log_in(monkeypatch, tmp_path, f"{server.url}\n\n") == 1
    assert load_login() is None


def test_a_login_says_which_one_it_takes_the_place_of(
    server: RestServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_login(Login(f"{server.url}other/", Credential("nsearlier", "secret-of-before")))
    assert log_in(monkeypatch, tmp_path, connect_string(server)) == 0
    said = capsys.readouterr().out
    assert f"It takes the place of nsearlier for {server.url}other/, which still works" in said
    assert "secret-of-before" not in said
    assert log_in(monkeypatch, tmp_path, connect_string(server)) == 0  # the same once more
    assert "takes the place" not in capsys.readouterr().out


def test_backup_to_a_server_after_login(
    server: RestServer,
    vault: Repository,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy_vault(vault, find_location(None, {"NIGHTSAFE_REPOSITORY": connect_string(server)}).open())
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
