"""Small disks that tests may fill to the last byte."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import leave_out, program

_LOOP_CTL_ADD = 0x4C80  # linux/loop.h


def require_root(reason: str) -> None:
    """Skip for an ordinary user, in CI too: being root is a right, and nothing is missing."""
    if os.geteuid() != 0:
        pytest.skip(reason)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of `size` bytes at a new folder, for root; see `leave_out`."""
    require_root("only root can mount a disk to be filled")
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        leave_out(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(disk: Path, size: int) -> None:
    """Give a small disk another size, in bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


@contextlib.contextmanager
def loop_device(number: int) -> Iterator[str]:
    """Hold the loop device of this number, so that a disk is the device that it was before.

    Waits for other tests that have it.
    """
    path = f"/dev/loop{number}"
    with open("/dev/loop-control") as control:
        with contextlib.suppress(FileExistsError):
            fcntl.ioctl(control, _LOOP_CTL_ADD, number)
        with open(path, "rb") as device:
            fcntl.flock(device, fcntl.LOCK_EX)
            yield path


@contextlib.contextmanager
def mounted(image: Path, folder: Path, *, device: str = "") -> Iterator[Path]:
    """Mount a file system that is in a file, by any loop device or a certain one.

    Where that is not allowed, skip, but fail in CI.
    """
    how = f"loop={device}" if device else "loop"
    command = [program("mount"), "-o", how, str(image), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        leave_out(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([program("umount"), "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte free; return the file that takes the room."""
    ballast = disk / "ballast"
    for size in (1 << 20, 1 << 12, 1):
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(size))
    return ballast
