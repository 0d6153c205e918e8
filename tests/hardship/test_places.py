"""Repositories on file systems that know no permissions, links or durable folders."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hardship.conftest import PASSPHRASE, Mount, OrdinaryAgent, give
from tests.support.disks import require_root
from tests.support.programs import program

NOT_THERE = ("chmod", "chown", "link", "symlink", "mknod", "setxattr", "fsyncdir")
MAKERS = {
    "vfat": ["mkfs.vfat"],
    "exfat": ["mkfs.exfat"],
    "ext4": ["mkfs.ext4", "-q", "-F"],  # which shows that the test itself is sound
}


def make_source(folder: Path) -> Path:
    source = folder / "source"
    source.mkdir()
    (source / "large").write_bytes(os.urandom(3_000_000))
    (source / "small").write_text("small\n")
    return source


def test_a_repository_where_nothing_but_files_is_known(
    ordinary: OrdinaryAgent, mount: Callable[..., Mount], own_folder: Path, stock_restic: Path
) -> None:
    disk = mount(*NOT_THERE)
    source = make_source(own_folder)
    give(source)
    ordinary.repository = disk.path / "repository"
    live_a_life(ordinary.run, source, own_folder / "restored")
    environment = {**os.environ, "RESTIC_PASSWORD": PASSPHRASE}
    # Stock restic itself cannot store a lock there.
    options = ["-r", str(ordinary.repository), "--no-cache", "--no-lock"]
    command = [str(stock_restic), *options, "check", "--read-data"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "no errors were found" in done.stdout, done.stderr


def live_a_life(run: Callable[..., str], source: Path, target: Path) -> None:
    """Do all that there is to be done with a repository."""
    run("init")
    run("backup", str(source))
    (source / "large").write_bytes(os.urandom(3_000_000))
    run("backup", str(source))
    run("forget", "--keep-last", "1", "--yes", "--prune", "--max-unused", "0")
    run("check", "--read-data")
    run("restore", "latest", "--target", str(target))
    restored = Path(f"{target}{source}")
    assert (restored / "large").read_bytes() == (source / "large").read_bytes()
    assert (restored / "small").read_text() == "small\n"


@pytest.mark.parametrize("kind", MAKERS)
def test_a_repository_on_a_real_disk(tmp_path: Path, kind: str) -> None:
    """Mounted in a name space of this test's own, so that nobody else sees it."""
    image = make_image(tmp_path, kind)
    script = (
        f"mount -o loop {image} {tmp_path}/disk && "
        f"exec {sys.executable} -m tests.hardship.test_places {tmp_path}"
    )
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def make_image(folder: Path, kind: str) -> Path:
    """An image with a file system of this kind; skipped, with the reason, where there is none."""
    require_root("only root can mount an image")
    maker = program(MAKERS[kind][0]) if kind == "ext4" else shutil.which(MAKERS[kind][0])
    known = Path("/proc/filesystems").read_text().split()
    if maker is None or kind not in known:  # kernels are built without some; ext4 is never left out
        pytest.skip(f"this kernel knows no {kind}, or {MAKERS[kind][0]} is not installed")
    image = folder / "image"
    with open(image, "wb") as file:
        file.truncate(96 << 20)
    subprocess.run([maker, *MAKERS[kind][1:], str(image)], check=True, capture_output=True)
    (folder / "disk").mkdir()
    return image


def live_on_a_disk(folder: Path) -> None:
    """All of it on what is mounted at `disk` below the folder, which nobody else can see."""
    environment = {
        **os.environ,
        "NIGHTSAFE_REPOSITORY": str(folder / "disk" / "repository"),
        "NIGHTSAFE_PASSWORD": PASSPHRASE,
        "NIGHTSAFE_CONFIG_DIR": str(folder / "config"),
        "NIGHTSAFE_CACHE_DIR": str(folder / "cache"),
    }
    agent = str(Path(sys.executable).with_name("nightsafe"))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [agent, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    live_a_life(run, make_source(folder), folder / "restored")


if __name__ == "__main__":
    live_on_a_disk(Path(sys.argv[1]))
