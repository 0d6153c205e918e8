"""Where the passphrase comes from besides the environment: option, command, keychain."""

import io
import sys
from pathlib import Path
from types import ModuleType

import pytest
from nightsafe.cli import main
from nightsafe.errors import SettingsError, UsageError
from nightsafe.passphrase import PassphraseSource, choose_passphrase, find_passphrase
from nightsafe.repository import Repository

from tests.agent.conftest import PASSPHRASE


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_of_a_command(tmp_path: Path) -> None:
    environ = {"NIGHTSAFE_PASSWORD_COMMAND": "printf ' two words \\n'"}
    assert find_passphrase(environ) == " two words "
    environ |= {"NIGHTSAFE_PASSWORD": "other"}
    assert find_passphrase(environ, PassphraseSource(command="echo mine")) == "mine"
    assert choose_passphrase({}, PassphraseSource(command="echo mine")) == "mine"
    (tmp_path / "file").write_text("of the file\n")
    of_file = PassphraseSource(file=str(tmp_path / "file"))
    assert find_passphrase(environ, of_file) == "of the file"


def test_no_shell_reads_the_command() -> None:
    assert find_passphrase({}, PassphraseSource(command="echo $HOME `id`")) == "$HOME `id`"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("false", "ended with status 1"),
        ("true", "printed nothing"),
        ("/nowhere/at/all", "No such file"),
        ("echo 'open", "cannot be run"),
    ],
)
def test_a_failing_command_is_said(command: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        find_passphrase({"NIGHTSAFE_PASSWORD": "unused"}, PassphraseSource(command=command))


def test_what_a_failing_command_printed_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        find_passphrase({}, PassphraseSource(command="sh -c 'echo top-secret; exit 1'"))
    assert "top-secret" not in str(caught.value)


def test_one_way_only() -> None:
    with pytest.raises(UsageError):
        find_passphrase({}, PassphraseSource(file="a", command="b"))


def test_of_the_keychain(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("keyring")
    held = {("nightsafe", "/vault"): "kept"}
    module.get_password = lambda service, user: held.get((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    assert find_passphrase({}, PassphraseSource(location="/vault")) == "kept"
    assert find_passphrase({"NIGHTSAFE_PASSWORD": "x"}, PassphraseSource(location="/vault")) == "x"
    with pytest.raises(SettingsError, match="no terminal"):
        find_passphrase({}, PassphraseSource(location="/other"))
    module.get_password = lambda service, user: 1 / 0  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match="no terminal"):
        find_passphrase({}, PassphraseSource(location="/vault"))


def test_the_options(
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NIGHTSAFE_PASSWORD", raising=False)
    (tmp_path / "file").write_text(PASSPHRASE)
    place = ["-r", repository.storage.location, "snapshots"]
    assert main([*place, "--password-file", str(tmp_path / "file")]) == 0
    assert main([*place, "--password-command", f"cat {tmp_path}/file"]) == 0
    assert main([*place, "--password-command", "echo wrong"]) == 1
    assert "Wrong passphrase" in capsys.readouterr().err
