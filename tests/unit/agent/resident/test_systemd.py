"""The unit of systemd: sound, without a secret, and what is asked of systemctl."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from nightsafe.cli import main
from nightsafe.errors import SettingsError
from nightsafe.resident.systemd import unit_text

from tests.support.programs import program

ODD = '/a "quoted" \\ folder/50% größe/$HOME'


def verified(tmp_path: Path, text: str, *, is_system: bool) -> str:
    """What systemd-analyze says of a unit; it ends with 0 for misspelt keys too."""
    path = tmp_path / "nightsafe.service"
    path.write_text(text)
    command = [program("systemd-analyze"), "verify", "--man=no", str(path)]
    done = subprocess.run(
        [*command, *([] if is_system else ["--user"])],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    ours = [line for line in done.stderr.splitlines() if path.name in line]
    return "\n".join([*ours, done.stdout]).strip()


@pytest.mark.parametrize("is_system", [False, True])
def test_the_unit_is_sound(tmp_path: Path, is_system: bool) -> None:
    text = unit_text(is_system, {"NIGHTSAFE_CONFIG_DIR": ODD, "NO_PROXY": "a,b"})
    assert verified(tmp_path, text, is_system=is_system) == ""
    assert verified(tmp_path, text.replace("Restart=", "Restrat="), is_system=is_system)
    assert text.count("Environment=") == 2
    assert ("multi-user.target" in text) == is_system


def test_words_are_quoted_as_systemd_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", ODD)
    text = unit_text(is_system=False, environ={"NIGHTSAFE_CONFIG_DIR": ODD})
    quoted = '/a \\"quoted\\" \\\\ folder/50%% größe/'
    assert f'ExecStart="{quoted}$$HOME" "-P" "-m" "nightsafe" "service" "run"' in text
    assert f'Environment="NIGHTSAFE_CONFIG_DIR={quoted}$HOME"' in text


def test_no_secret_is_written() -> None:
    secrets = {"NIGHTSAFE_PASSWORD": "pass-phrase", "NIGHTSAFE_SECRET": "sec-ret"}
    text = unit_text(is_system=False, environ=secrets)
    assert "pass-phrase" not in text
    assert "sec-ret" not in text
    for url in ("https://user:secret@host/v/", "rest:http://user:secret@host/v/"):
        with pytest.raises(SettingsError, match="holds a secret"):
            unit_text(is_system=False, environ={"NIGHTSAFE_REPOSITORY": url})
    plain = {"NIGHTSAFE_REPOSITORY": "https://host/v/"}
    assert "https://host/v/" in unit_text(is_system=False, environ=plain)


def test_a_line_break_is_refused() -> None:
    with pytest.raises(SettingsError, match="line break"):
        unit_text(is_system=False, environ={"NIGHTSAFE_CACERT": "a\nExecStartPre=/bin/evil"})


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No systemd runs here: a program in its place notes what is asked, and may fail."""
    tools, asked = tmp_path / "tools", tmp_path / "asked"
    tools.mkdir()
    (tools / "systemctl").write_text(
        f'#!/bin/sh\necho "$@" >> {asked}\n'
        f'test -e {tmp_path}/deaf && {{ echo "Failed to connect to bus" >&2; exit 1; }}\n'
        'test "$2" = is-active && echo active\nexit 0\n'
    )
    (tools / "systemctl").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return asked


def test_it_is_installed_and_uninstalled(
    asked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = tmp_path / "xdg/systemd/user/nightsafe.service"
    assert main(["service", "status"]) == 0
    assert "Nothing starts it by itself" in capsys.readouterr().out
    assert main(["service", "uninstall"]) == 1
    assert "nothing to uninstall" in capsys.readouterr().err
    asked.unlink()

    assert main(["service", "install", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["installed"], told["systemd"], told["unit"]) == (True, "active", str(unit))
    assert asked.read_text().splitlines()[:3] == [
        "--user daemon-reload",
        "--user enable nightsafe.service",
        "--user restart nightsafe.service",
    ]
    assert f'Environment="NIGHTSAFE_STATE_DIR={tmp_path}/state-dir"' in unit.read_text()
    assert main(["service", "status"]) == 0
    assert f"by {unit}: active." in capsys.readouterr().out

    assert main(["service", "uninstall"]) == 0
    assert "--user disable --now nightsafe.service" in asked.read_text()
    assert not unit.exists()


def test_where_systemd_does_not_answer_it_is_said(
    asked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deaf").touch()
    assert main(["service", "install"]) == 1
    said = capsys.readouterr().err
    assert "`systemctl --user daemon-reload` failed: Failed to connect to bus" in said
    assert (tmp_path / "xdg/systemd/user/nightsafe.service").exists()


def test_a_secret_in_the_environment_is_told(
    asked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", "secret")
    assert main(["service", "install"]) == 0
    assert "NIGHTSAFE_PASSWORD is not written into the unit" in capsys.readouterr().err


def test_where_there_is_no_systemd_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["service", "install"]) == 1
    assert "There is no systemd on this computer" in capsys.readouterr().err
