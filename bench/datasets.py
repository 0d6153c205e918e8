"""The data that is backed up: built once below the scratch folder, in full or not at all."""

import glob
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 2 << 30
EDITS = 100
EDIT_SIZE = 4096
MANY_FOLDERS, MANY_FILES, MANY_SIZE = 1000, 1000, 1024
DJANGO = ("5.2.1", "5.2.2", "5.2.3", "5.2.4")
QUICK_SIZE = 256 << 20
_BLOCK = 1 << 22
_SETTLE_SECONDS = 90
"""What is newer than that when it is first backed up may be read again; people's files are old."""
_SYSTEM = (
    "/usr/bin",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/gcc",
    "/usr/lib/python3",
    "/usr/include",
    "/usr/share",
    "/usr/lib/jvm",
)


class MissingError(Exception):
    """Something that a data set is made of is not on this computer."""


def build_sources(target: Path) -> None:
    """Unpack the kernel's sources from Debian's package linux-source."""
    archives = sorted(glob.glob("/usr/src/linux-source-*.tar.xz"))
    if not archives:
        raise MissingError("There is no kernel source here. On Debian: apt install linux-source")
    target.mkdir()
    subprocess.run(["tar", "-xf", archives[-1], "-C", str(target)], check=True)


def build_random(target: Path) -> None:
    """2 GiB that cannot be compressed, the same each time."""
    source = random.Random(20)
    with target.open("wb") as file:
        for _ in range(SIZE // _BLOCK):
            file.write(source.randbytes(_BLOCK))


def build_archive(target: Path) -> None:
    """A tar of exactly 2 GiB of this system: programs, libraries, texts, pictures."""
    present = [folder for folder in _SYSTEM if os.path.isdir(folder)]
    command = ["tar", "--sort=name", "--ignore-failed-read", "-cf", "-", *present]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tar:
        stream = tar.stdout
        if stream is None:
            raise MissingError("tar gives no output.")
        with target.open("wb") as file:
            left = SIZE
            while left and (block := stream.read(min(_BLOCK, left))):
                file.write(block)
                left -= len(block)
            tar.kill()
    _fill(target, left)


def _fill(target: Path, left: int) -> None:
    """Where the system is smaller than 2 GiB, repeat parts of it with random bytes strewn in."""
    with target.open("r+b") as file:
        source = random.Random(21)
        while left:
            file.seek(source.randrange(0, max(1, SIZE - left - _BLOCK)))
            block = bytearray(file.read(min(_BLOCK, left)))
            for position in range(0, len(block), 8192):
                block[position : position + 8] = source.randbytes(8)[: len(block) - position]
            file.seek(SIZE - left)
            file.write(block[:left])
            left -= min(left, len(block))


def build_many(target: Path) -> None:
    """A million files of 1 KiB in a thousand folders."""
    source = random.Random(22)
    target.mkdir()
    for folder in range(MANY_FOLDERS):
        inner = os.path.join(target, f"{folder:03d}")
        os.mkdir(inner)
        content = source.randbytes(MANY_SIZE // 2 * MANY_FILES)
        for number in range(MANY_FILES):
            half = content[number * MANY_SIZE // 2 :][: MANY_SIZE // 2]
            with open(os.path.join(inner, f"{number:03d}.dat"), "wb") as file:
                file.write(half + half)


def build_releases(target: Path) -> None:
    """Four releases of Django one after the other, each in a folder of its own."""
    target.mkdir()
    for version in DJANGO:
        where = target / version
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]
        command += ["Django", "--dest", str(where), f"Django=={version}"]
        subprocess.run(command, check=True)
        (archive,) = where.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(where, filter="data")
        archive.unlink()


def build_subset(target: Path) -> None:
    """The network drivers of the kernel's sources, for a quick run."""
    (found,) = ensure("a", target.parents[1]).glob("*/drivers/net")
    shutil.copytree(found, target, symlinks=True)


def build_gibibyte(target: Path) -> None:
    """1 GiB that cannot be compressed, the same each time."""
    source = random.Random(23)
    with target.open("wb") as file:
        for _ in range(SIZE // 2 // _BLOCK):
            file.write(source.randbytes(_BLOCK))


def _copy_of(*folders: str) -> Callable[[Path], None]:
    def build(target: Path) -> None:
        """What this system has in some folders, as it is."""
        target.mkdir()
        subprocess.run(["cp", "-a", *folders, str(target)], check=True)

    return build


def _head_of(letter: str) -> Callable[[Path], None]:
    def build(target: Path) -> None:
        with ensure(letter, target.parents[1]).open("rb") as source, target.open("wb") as file:
            file.write(source.read(QUICK_SIZE))

    return build


_BUILDERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a": ("a", build_sources),
    "b": ("b.bin", build_random),
    "c": ("c.tar", build_archive),
    "f": ("f", build_many),
    "g": ("g", build_releases),
    "h": ("h.bin", build_gibibyte),
    "u": ("u", _copy_of("/usr/share", "/usr/include")),
    "quick-a": ("s", build_subset),
    "quick-b": ("b-quick.bin", _head_of("b")),
    "quick-c": ("c-quick.tar", _head_of("c")),
    "quick-h": ("h-quick.bin", _head_of("h")),
    "quick-u": ("u-quick", _copy_of("/usr/include")),
}


def ensure(letter: str, scratch: Path) -> Path:
    """Return the path of one data set, building it if it is not there yet."""
    name, build = _BUILDERS[letter]
    folder = scratch / "d"
    folder.mkdir(parents=True, exist_ok=True)
    target, partial = folder / name, folder / f"{name}.part"
    if not target.exists():
        remove(partial)
        print(f"building data set {letter} ...", flush=True)
        build(partial)
        partial.rename(target)
        time.sleep(_SETTLE_SECONDS)
    return target


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def edited(path: Path, *, seed: int) -> Iterator[None]:
    """Change 100 random blocks of 4 KiB in a file for the length of a `with` block."""
    source, size = random.Random(seed), path.stat().st_size
    blocks = random.Random(seed + 1).sample(range(size // EDIT_SIZE), EDITS)
    before = {}
    with path.open("r+b") as file:
        for block in blocks:
            file.seek(block * EDIT_SIZE)
            before[block] = file.read(EDIT_SIZE)
            file.seek(block * EDIT_SIZE)
            file.write(source.randbytes(EDIT_SIZE))
    try:
        yield
    finally:
        with path.open("r+b") as file:
            for block, content in before.items():
                file.seek(block * EDIT_SIZE)
                file.write(content)
