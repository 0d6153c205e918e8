"""Makes the agent's packages: its source distribution, a wheel for this system, what both need.

The folder is then a package index of its own: whoever installs from it needs no other host, not
even to build the agent from source. What comes from elsewhere is held to the hashes of the locks.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path

from backup_service.agent_packages import catalogue
from backup_service.agent_packages.catalogue import Package

BUILDER = "setuptools"  # what agent/pyproject.toml builds with
LOCKS = ("requirements/agent.txt", "requirements/installers.txt")
_NOT_SOURCE = shutil.ignore_patterns("*.egg-info", "build", "dist", "__pycache__", "*.so", ".*")
_SOURCE = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


class BuildError(Exception):
    """A step failed; the text is what it said."""


def publish(top: Path, target: Path) -> list[Package]:
    """Make everything from a checkout at `top`, and put it where `target` is; return the list.

    What was there before stays if a step fails. Raises BuildError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".packages-", dir=target.parent) as scratch:
        made = Path(scratch, "made")
        made.mkdir(mode=0o755)
        _fetch(top, made)
        _build(top / "agent", made, Path(scratch))
        packages = sorted(_packages(made), key=lambda one: (one.project, one.file))
        catalogue.write(made, packages)
        if target.exists():
            target.rename(Path(scratch, "before"))
        made.rename(target)
    return packages


def _fetch(top: Path, made: Path) -> None:
    """Download what the agent needs, and what pip and pipx want from an index to install it."""
    for lock in LOCKS:
        options = ("--require-hashes", "--no-deps", "--only-binary=:all:")
        _pip("download", *options, f"--dest={made}", f"--requirement={top / lock}")


def _build(agent: Path, made: Path, scratch: Path) -> None:
    tools, copy = scratch / "tools", scratch / "agent"
    offline = ("--no-index", f"--find-links={made}")
    _pip("install", *offline, f"--target={tools}", BUILDER)
    shutil.copytree(agent, copy, ignore=_NOT_SOURCE)
    _run([sys.executable, "-c", _SOURCE, str(made)], folder=copy, PYTHONPATH=str(tools))
    (source,) = made.glob("*.tar.gz")
    _pip("wheel", *offline, "--no-deps", f"--wheel-dir={made}", str(source))


def _pip(*arguments: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    _run([sys.executable, "-m", "pip", *quiet, *arguments])


def _run(command: Sequence[str], *, folder: Path | None = None, **extra: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | extra, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError((done.stderr or done.stdout).strip())


def _packages(folder: Path) -> Iterator[Package]:
    for path in folder.iterdir():
        metadata = HeaderParser().parsestr(_metadata(path))
        path.chmod(0o644)
        yield Package(
            file=path.name,
            project=re.sub(r"[-_.]+", "-", str(metadata["Name"])).lower(),  # PEP 503
            version=str(metadata["Version"]),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            size=path.stat().st_size,
            requires_python=str(metadata.get("Requires-Python", "")),
        )


def _metadata(path: Path) -> str:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
            return wheel.read(names[0]).decode()
    with tarfile.open(path) as archive:
        member = archive.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO")
        if member is None:
            raise BuildError(f"{path.name} has no PKG-INFO.")
        return member.read().decode()
