"""What the demonstration backs up: SOURCE as it is, or a copy of our own source code."""

import os
import shutil
import subprocess
from pathlib import Path

from backup_service.embedded.demo.errors import SourceError

# Left out where there is no git to say what belongs to the source code.
_NO_SOURCE = {".git", ".venv", "__pycache__", "node_modules", "data", "staticfiles", "dist"}


def given(source: str, data_dir: Path) -> Path:
    """Return SOURCE as an absolute path. Raises SourceError if it cannot be backed up."""
    path = Path(os.path.normpath(Path(source).expanduser().absolute()))
    if not os.path.lexists(path):
        raise SourceError(f"SOURCE={source} does not exist.")
    if path.is_symlink():
        raise SourceError(f"SOURCE={source} is a symbolic link. Name what it points to.")
    inside = path.resolve()
    if data_dir.resolve().is_relative_to(inside):
        raise SourceError(
            f"SOURCE={source} contains the data directory {data_dir}, so the backup would back "
            "itself up. Choose a DATA_DIR outside of it."
        )
    return path


def export_code(root: Path, target: Path) -> None:
    """Replace `target` by a copy of the source code below `root`."""
    if target.exists():
        shutil.rmtree(target)
    for name in _tracked(root) or _present(root):
        original = root / name
        if not os.path.lexists(original):
            continue
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(original, copy, follow_symlinks=False)


def _tracked(root: Path) -> list[str]:
    """Return what git keeps, or nothing where there is no git or no repository."""
    try:
        listing = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--", "."],
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    return [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]


def _present(root: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in _NO_SOURCE and not name.endswith("_cache")
        )
        found += [os.path.relpath(os.path.join(folder, name), root) for name in sorted(files)]
    return found
