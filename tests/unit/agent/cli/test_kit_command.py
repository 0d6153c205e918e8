"""`nightsafe kit`: what it says, and that the words off the paper open the vault."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from nightsafe.cli import main
from nightsafe.repofile import key
from nightsafe.repository.repository import Repository

from tests.support.interop.kits import code_on
from tests.support.repositories import CHEAP
from tests.unit.agent.conftest import PASSPHRASE

MAIN = "import sys; from nightsafe.cli import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def _at_the_vault(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setattr(key.KdfParams.__new__, "__defaults__", tuple(CHEAP))


def code_of(path: Path) -> list[str]:
    return code_on(path.read_text()).split()


def test_a_kit_is_made_and_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kit.txt"
    assert main(["kit", "write", str(path), "--json", "--site", "https://n.example/"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["file"] == str(path)
    assert made["tried"] is False
    words = code_of(path)
    assert len(words) == 12
    assert main(["status"]) == 0
    assert "has not been tried yet" in capsys.readouterr().out

    monkeypatch.setattr(sys, "stdin", io.StringIO(", ".join(words).upper() + "\n"))
    assert main(["kit", "test", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"vault": made["vault"], "opens": True}
    assert main(["status", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)["kit"]
    assert known["vault"] == made["vault"]
    assert known["tried_at"]

    monkeypatch.setenv("NIGHTSAFE_PASSWORD", " ".join(word[:4] for word in words))
    assert main(["snapshots"]) == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "12 words, and these are 0"),
        (
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "Wrong pass",
        ),
        (
            "legal winner thank year wave sausige worth useful legal winner thank yellow",
            "'sausige'",
        ),
    ],
)
def test_words_that_open_nothing(
    typed: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    assert main(["kit", "test"]) == 1
    assert said in capsys.readouterr().err
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kit"] is None


def test_a_misread_word_is_named_where_a_passphrase_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "legal winner thank year wave sausige worth useful legal winner thank yellow"
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", text)
    assert main(["snapshots"]) == 1
    said = capsys.readouterr().err
    assert "Wrong passphrase" in said
    assert "Word 6" in said


@pytest.mark.parametrize("name", ["kit.pdf", "kit", "there.txt"])
def test_names_that_will_not_do(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.txt").write_text("an older kit")
    assert main(["kit", "write", str(tmp_path / name)]) == 1
    assert re.search("ends in .html or .txt|already", capsys.readouterr().err)
    assert [path.name for path in tmp_path.glob("*.*")] == ["there.txt"]


@pytest.mark.parametrize("knows", [True, False])
def test_words_are_typed_off_the_sheet(tmp_path: Path, knows: bool) -> None:
    path, (leader, terminal) = tmp_path / "kit.txt", pty.openpty()
    shown = b""

    def answer() -> None:
        nonlocal shown
        answered = 0
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:
                return
            if not part:
                return
            shown += part
            asked = re.findall(rb"Words (\d+), (\d+), (\d+): ", shown)
            if len(asked) > answered:
                answered += 1
                words = [code_of(path)[int(number) - 1] for number in asked[0]]
                right = " ".join(words if answered > 1 else reversed(words))
                os.write(leader, f"{right if knows else ''}\n".encode())

    aside = threading.Thread(target=answer)
    aside.start()
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "kit", "write", str(path)],
        stdin=terminal,
        stderr=terminal,
        stdout=subprocess.PIPE,
        timeout=60,
        text=True,
    )
    os.close(terminal)
    aside.join()
    os.close(leader)
    assert done.returncode == 0
    assert ("That is right." in done.stdout) == knows
    assert (b"That is not what the kit says" in shown) == knows
    assert (b"Not tried yet." in shown) == (not knows)
    tried = json.loads((tmp_path / "state-dir" / "kit.json").read_text())["tried_at"]
    assert (tried is not None) == knows
