"""A customer's computer: the agent installed as the download page says, and at work."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Done = subprocess.CompletedProcess[str]
PASSPHRASE = "correct horse battery staple"
NOWHERE = "http://127.0.0.1:1"  # for whatever would leave this computer


@dataclass
class Computer:
    """A folder with a Python of its own, a home, and files to back up."""

    folder: Path

    def __post_init__(self) -> None:
        self.files.mkdir(parents=True)

    @property
    def files(self) -> Path:
        """What is backed up."""
        return self.folder / "files"

    def write(self, name: str, size: int) -> None:
        """Make a file of random bytes, which nothing compresses."""
        (self.files / name).write_bytes(os.urandom(size))

    def install(self, line: str) -> str:
        """Do what a line for pipx says, by pip and asking no other host; return what was said.

        pipx makes an environment and hands the index on to pip, and so does this.
        """
        words = shlex.split(line)
        assert words[:2] == ["pipx", "install"], line
        index = words[words.index("--index-url") + 1]  # the service's own, as its page says
        environment = self.folder / "python"
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True
        )
        pip = [sys.executable, "-m", "pip", f"--python={environment}", "install", "--no-input"]
        done = subprocess.run(
            [*pip, f"--index-url={index}", "--only-binary=:all:", words[-1]],
            env=self._environment(PIP_CONFIG_FILE=os.devnull, PIP_NO_CACHE_DIR="1"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *words: str, status: int = 0) -> Done:
        """Run the agent; fail unless it ends with this status."""
        done = subprocess.run(
            [self._agent, *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done

    @contextmanager
    def login(self, site: str, *, name: str) -> Iterator[str]:
        """Begin a login and give its code; at the end of the block it has to have succeeded."""
        with subprocess.Popen(
            [self._agent, "login", site, "--computer", name, "--json"],
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())["user_code"]
                out, err = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 0, out + err

    def vault(self) -> str:
        """Return the id of the vault that it is connected to."""
        told = json.loads((self.folder / "config" / "login.json").read_text())
        found = re.search(r"/restic/(\w+)/", str(told))
        assert found is not None, "not connected"
        return found[1]

    def restored(self, target: Path) -> dict[str, bytes]:
        """Restore the last snapshot, and return the files that came."""
        self.run("restore", "latest", "--target", str(target))
        return contents(target / self.files.relative_to("/"))

    @property
    def _agent(self) -> str:
        return str(self.folder / "python" / "bin" / "nightsafe")

    def _environment(self, **more: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NIGHTSAFE_", "PIP_"))
        }
        own = {
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
            "NIGHTSAFE_CONFIG_DIR": str(self.folder / "config"),
            "NIGHTSAFE_CACHE_DIR": str(self.folder / "cache"),
            "http_proxy": NOWHERE,
            "https_proxy": NOWHERE,
            "no_proxy": "127.0.0.1,localhost",
        }
        return kept | own | more


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
