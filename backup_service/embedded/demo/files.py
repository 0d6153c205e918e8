"""The demonstration's own files, in `demo/` of the data directory, for their owner only."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DemoFiles:
    """Where the demonstration keeps what it needs again."""

    data_dir: Path

    @property
    def folder(self) -> Path:
        """The folder of all of it."""
        return self.data_dir / "demo"

    @property
    def sign_in(self) -> Path:
        """How to sign in to the website, for people."""
        return self.data_dir / "demo.txt"

    @property
    def passphrase(self) -> Path:
        """The vault's passphrase, which the server never sees."""
        return self.folder / "passphrase"

    @property
    def vault(self) -> Path:
        """Which vault it is, and its credential (JSON)."""
        return self.folder / "vault.json"

    @property
    def done(self) -> Path:
        """There once the demonstration has succeeded."""
        return self.folder / "done"

    @property
    def source(self) -> Path:
        """The copy of our own source code that is backed up by default."""
        return self.folder / "source"

    @property
    def restored(self) -> Path:
        """Where the last restore went."""
        return self.folder / "restored"

    def make(self) -> None:
        """Make the folder."""
        self.folder.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; an empty one if there is no such file, or it is damaged."""
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
