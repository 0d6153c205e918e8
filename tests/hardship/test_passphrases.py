"""Passphrases and arguments beyond ASCII in locales of eight bits, and in none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nightsafe.backend.local import LocalBackend
from nightsafe.crypto.seal_key import SealKey
from nightsafe.errors import PassphraseError
from nightsafe.repository.unlock import open_key

from tests.hardship.conftest import ASCII
from tests.support import repositories

TYPED = "pässwörd".encode("latin-1")
SIGNS = "pässwörd".encode()


@pytest.fixture(params=["latin1", "ascii"])
def locale(request: pytest.FixtureRequest) -> dict[str, str]:
    """An environment of eight bits, or of seven."""
    return request.getfixturevalue("latin1") if request.param == "latin1" else ASCII


def run(
    folder: Path, locale: dict[str, str], secret: bytes, *arguments: str | bytes
) -> "subprocess.CompletedProcess[bytes]":
    """Run the agent on a repository, whose passphrase is in the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    environment: dict[str, str | bytes] = {**kept, **locale, "NIGHTSAFE_PASSWORD": secret}
    environment |= {name: str(folder.parent / name) for name in ("NIGHTSAFE_CONFIG_DIR",)}
    environment["NIGHTSAFE_CACHE_DIR"] = str(folder.parent / "cache")
    agent = Path(sys.executable).with_name("nightsafe")
    return subprocess.run(
        [str(agent), "-r", str(folder), *arguments],
        env=environment,
        capture_output=True,
        check=False,
    )


def repository_of(folder: Path, passphrase: bytes) -> SealKey:
    text = passphrase.decode("utf-8", "surrogateescape")
    return repositories.make(LocalBackend(str(folder)), text)


def opens(folder: Path, passphrase: str) -> bool:
    try:
        open_key(LocalBackend(str(folder)), passphrase)
    except PassphraseError:
        return False
    return True


def test_what_stock_restic_made_there_opens_there(tmp_path: Path, locale: dict[str, str]) -> None:
    folder = tmp_path / "repository"
    repository_of(folder, TYPED)  # stock restic takes the bytes as they are
    assert run(folder, locale, TYPED, "snapshots").returncode == 0
    assert run(folder, locale, TYPED + b"x", "snapshots").returncode == 1


def test_what_was_made_elsewhere_opens_there(tmp_path: Path, latin1: dict[str, str]) -> None:
    folder = tmp_path / "repository"
    repository_of(folder, SIGNS)
    for secret in (TYPED, SIGNS):
        done = run(folder, latin1, secret, "snapshots")
        assert done.returncode == 0, done.stderr


def test_what_is_made_there_opens_everywhere(tmp_path: Path, latin1: dict[str, str]) -> None:
    for number, secret in enumerate((TYPED, SIGNS)):
        folder = tmp_path / f"repository-{number}"
        done = run(folder, latin1, secret, "init")
        assert done.returncode == 0, done.stderr
        assert opens(folder, "pässwörd")
        assert run(folder, latin1, secret, "snapshots").returncode == 0


def test_without_a_locale_bytes_that_are_no_text_make_nothing(tmp_path: Path) -> None:
    done = run(tmp_path / "repository", ASCII, TYPED, "init")
    assert done.returncode == 1
    assert b"could type" in done.stderr
    assert not (tmp_path / "repository").exists()
    assert run(tmp_path / "repository", ASCII, SIGNS, "init").returncode == 0
    assert opens(tmp_path / "repository", "pässwörd")


def test_arguments_name_what_they_say(tmp_path: Path, locale: dict[str, str]) -> None:
    top = os.fsencode(tmp_path)
    folder, source = top + b"/reposit\xf6ry \xff", top + b"/s\xf6urce"
    os.mkdir(source)
    for name in (b"\xe4", "ä".encode(), b"\xff\xfe"):
        with open(source + b"/" + name, "wb") as file:
            file.write(b"of " + name)
    secret_file = top + b"/p\xe4ss"
    with open(secret_file, "wb") as file:
        file.write(b"secret\n")
    options: list[str | bytes] = ["-r", folder, "--password-file", secret_file]
    made = tmp_path / "unused"
    commands: tuple[list[str | bytes], ...] = (
        ["init"],
        ["backup", source],
        ["restore", "latest", "--target", top + b"/\xfcber"],
    )
    for arguments in commands:
        done = run(made, locale, b"other", *arguments, *options)
        assert done.returncode == 0, (arguments, done.stderr)
    restored = top + b"/\xfcber" + source
    assert sorted(os.listdir(restored)) == sorted(os.listdir(source))
