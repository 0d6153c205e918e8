"""What the demonstration backs up."""

import os
import subprocess
from pathlib import Path

import pytest

from backup_service.embedded.demo.errors import SourceError
from backup_service.embedded.demo.source import export_code, given


def test_a_given_source_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    assert given(str(tmp_path / "x" / ".." / "a b"), tmp_path / "data") == tmp_path / "a b"


@pytest.mark.parametrize(
    ("source", "text"),
    [("nothing", "does not exist"), ("", "contains the data"), ("link", "symbolic link")],
)
def test_what_cannot_be_backed_up_is_refused(tmp_path: Path, source: str, text: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    with pytest.raises(SourceError, match=text):
        given(str(tmp_path / source), tmp_path / "data")


def code(root: Path) -> None:
    (root / "package").mkdir(parents=True)
    (root / "package" / "module.py").write_text("1\n")
    (root / "run.sh").write_text("#!\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("run.sh")
    for ignored in (".venv", "data", "__pycache__"):
        (root / ignored).mkdir()
        (root / ignored / "file").touch()


def exported(root: Path, target: Path) -> list[str]:
    export_code(root, target)
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir())


def test_without_git_the_folders_that_are_no_code_stay_away(tmp_path: Path) -> None:
    code(tmp_path / "code")
    found = exported(tmp_path / "code", tmp_path / "copy")
    assert found == ["link", "package/module.py", "run.sh"]
    assert (tmp_path / "copy" / "link").readlink() == Path("run.sh")
    assert os.access(tmp_path / "copy" / "run.sh", os.X_OK)


def test_with_git_only_what_it_keeps_is_copied(tmp_path: Path) -> None:
    root = tmp_path / "code"
    code(root)
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "package", "run.sh"], check=True)
    (root / "run.sh").unlink()  # kept by git, but gone
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "from last time").touch()
    assert exported(root, tmp_path / "copy") == ["package/module.py"]
