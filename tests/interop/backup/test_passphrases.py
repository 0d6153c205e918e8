"""Passphrase files and commands mean to the agent what they mean to stock restic."""

import random
import shlex
from pathlib import Path

import pytest
from nightsafe.backend.local import LocalBackend
from nightsafe.repofile.key import KdfParams
from nightsafe.settings.passphrase import PassphraseSource, find_passphrase

from tests.interop.test_agent_local import Place, _own_data_directory, pytestmark
from tests.support import repositories
from tests.support.programs import program

__all__ = ["_own_data_directory", "pytestmark"]
LEAST = KdfParams(2, 1, 1)
PARTS = (
    *(" ", "\t", "\n", "\r\n", "\v", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u2028", "\u3000"),
    *("\ufeff", "\u200b", "secret", "w\u00f6rd", "\U0001f600", "0"),
)


def content(chance: random.Random) -> bytes:
    """What a passphrase file might hold, in any encoding; never nothing but blanks."""
    text = "".join(chance.choices(PARTS, k=chance.randrange(4)))
    text += "x" + "".join(chance.choices(PARTS, k=chance.randrange(4)))
    match chance.randrange(6):
        case 0:
            return ("\ufeff" + text).encode()
        case 1:
            return ("\ufeff" + text).encode("utf-16-le")
        case 2:
            return ("\ufeff" + text).encode("utf-16-be")
        case 3:
            return ("\ufeff" + text).encode("utf-16-le") + chance.choice(
                [b"\x00\xd8", b"\x00", b"\x00\xdcx\0"]
            )
        case 4:
            return chance.choice([b"", b"\xff", b"\xa0"]) + text.encode() + b"\x85\n"
        case _:
            return text.encode()


@pytest.mark.parametrize("way", ["file", "command"])
def test_the_same_passphrase_is_read(tmp_path: Path, way: str, chance: random.Random) -> None:
    program("restic")
    file = tmp_path / "passphrase"
    given = str(file) if way == "file" else f"cat {shlex.quote(str(file))}"
    folder = tmp_path / "repository"
    place = Place(LocalBackend(str(folder)), str(folder), tmp_path)
    master = repositories.make(place.storage, "the first")
    for _ in range(15):
        file.write_bytes(content(chance))
        text = find_passphrase({}, PassphraseSource(**{way: given})).text
        for key in (folder / "keys").iterdir():
            key.unlink()
        repositories.add_key(place.storage, master, text, LEAST)
        done = place.start_restic(f"--password-{way}", given, "cat", "config")
        _, errors = done.communicate(timeout=60)
        assert done.returncode == 0, (file.read_bytes(), text, errors)
