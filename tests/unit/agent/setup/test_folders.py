"""Which folders are proposed, and how much is said to be in them."""

import os
from pathlib import Path

import pytest
from nightsafe.setup.folders import Amount, measure, suggested_folders, without_nested


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith("XDG_"):
            monkeypatch.delenv(name)
    return tmp_path


def test_the_most_precious_come_first(home: Path) -> None:
    for name in ("Videos", "Documents", "Pictures", "Downloads"):
        (home / name).mkdir()
    assert suggested_folders() == [str(home / n) for n in ("Documents", "Pictures", "Videos")]


def test_folders_that_the_desktop_has_moved(home: Path) -> None:
    (home / "Papiere").mkdir()
    (home / ".config").mkdir()
    (home / ".config" / "user-dirs.dirs").write_text(
        'XDG_DOCUMENTS_DIR="$HOME/Papiere"\nXDG_MUSIC_DIR="$HOME/"\nXDG_VIDEOS_DIR="/none"\n'
    )
    assert suggested_folders() == [str(home / "Papiere")]


def test_without_any_it_is_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert suggested_folders() == [str(home)]
    monkeypatch.setenv("HOME", str(home / "gone"))
    assert suggested_folders() == []


def test_an_amount(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a").write_bytes(bytes(70))
    (tmp_path / "b").write_bytes(bytes(7))
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert measure(str(tmp_path)) == Amount(2, 77)
    assert measure(str(tmp_path / "none")) == Amount(0, 0)
    assert measure(str(tmp_path), seconds=-1) == Amount(0, 0, is_whole=False)


def test_what_cannot_be_read_counts_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(bytes(7))
    (tmp_path / "locked").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        assert measure(str(tmp_path)) == Amount(1, 7)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], []),
        (["/a", "/b"], ["/a", "/b"]),
        (["/a/b", "/a", "/a/b/c", "/ab"], ["/a", "/ab"]),
        (["/a", "/a"], ["/a"]),
        (["/", "/a"], ["/"]),
    ],
)
def test_folders_in_others(given: list[str], kept: list[str]) -> None:
    assert without_nested(given) == kept
