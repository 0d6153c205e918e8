"""Reading files: nobody sees that we were there, and who holds a lease is waited for."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nightsafe.file_saver import small_files
from nightsafe.filters.exclude import Excluder, ExcludeRules
from nightsafe.fs import files
from nightsafe.repository.repository import Repository

from tests.unit.agent.archiver.test_backup import run, stored
from tests.unit.agent.archiver.test_backup_faults import look_in_python
from tests.unit.agent.conftest import reopen

SIZES = {"small": 10, "middle": 1 << 20, "large": 5 << 20}
HOLDER = """
import fcntl, os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
asked = []
signal.signal(signal.SIGIO, lambda *_: asked.append(1))
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
while not asked:
    signal.pause()
time.sleep(0.2)  # as somebody who has to write something back first
os.write(fd, b"written back")
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
print("given back", flush=True)
"""


@pytest.fixture(params=["as built", "portable"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extensions, and as without them."""
    if request.param == "portable":
        look_in_python(monkeypatch)
        monkeypatch.setattr(small_files, "native", None)


def make_old(folder: Path) -> dict[Path, int]:
    """Files and folders that were last read before they were changed, so that reading shows."""
    (folder / "inner").mkdir(parents=True)
    for name, size in SIZES.items():
        (folder / "inner" / name).write_bytes(bytes(size))
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        os.utime(path, ns=(10**18, 10**18 + 1))
    return dict.fromkeys(paths, 10**18)


def shows_reading(place: Path) -> bool:
    """Whether this disk notes when a file was read; many are mounted so that they do not."""
    probe = place / "probe"
    probe.write_text("x")
    os.utime(probe, ns=(10**18, 10**18 + 1))
    probe.read_text()
    return probe.stat().st_atime_ns != 10**18


def test_times_of_access_stay(
    repository: Repository, tmp_path: Path, way: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a first backup, and on one that looks whether anything has changed."""
    if not hasattr(os, "O_NOATIME") or not shows_reading(tmp_path):
        # Mounted with noatime, a disk shows the same whatever the agent does.
        pytest.skip("this system or disk does not note when a file was read")
    monkeypatch.chdir(tmp_path)
    before = make_old(Path("source"))
    for _ in range(2):
        run(reopen(repository), Path("source"))
        assert {path: path.stat().st_atime_ns for path in before} == before
        (Path("source") / "inner" / "more").write_text("more")
        os.utime(Path("source") / "inner", ns=(10**18, 10**18 + 1))


def test_a_marker_is_looked_at_without_a_trace(repository: Repository, tmp_path: Path) -> None:
    """CACHEDIR.TAG, whose content decides."""
    if not hasattr(os, "O_NOATIME") or not shows_reading(tmp_path):
        # Mounted with noatime, a disk shows the same whatever the agent does.
        pytest.skip("this system or disk does not note when a file was read")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "CACHEDIR.TAG").write_bytes(b"Signature")
    before = make_old(tmp_path / "source")
    marker = (b"CACHEDIR.TAG", b"Signature")
    run(repository, tmp_path / "source", wants=Excluder(ExcludeRules(markers=(marker,))))
    assert os.fsencode(tmp_path / "source" / "inner") not in stored(repository)
    assert {path: path.stat().st_atime_ns for path in before} == before


@contextmanager
def leased(path: Path) -> Iterator[None]:
    """Another program holds a lease on a file, as Samba does, and gives it back when asked."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            if not holder.stdout.readline():
                pytest.skip("no lease can be held on files here")
            yield
            assert holder.stdout.readline() == "given back\n", "it was never asked"
        finally:
            holder.kill()


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="this system knows no leases")
@pytest.mark.parametrize("name", SIZES)
def test_a_file_under_a_lease_is_waited_for(
    repository: Repository, tmp_path: Path, way: None, name: str
) -> None:
    make_old(tmp_path / "source")
    path = tmp_path / "source" / "inner" / name
    with leased(path):
        report = run(repository, tmp_path / "source")
    assert report.is_complete
    assert [issue.kind for issue in report.issues if issue.is_failure] == []
    assert os.fsencode(path) in stored(repository)


def test_nobody_waits_for_what_is_no_file(tmp_path: Path) -> None:
    """A fifo that came where a leased file was."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    signal.alarm(20)
    try:
        for name in ("fifo", "link"):
            with pytest.raises(BlockingIOError):
                files.open_leased(os.fsencode(tmp_path / name))
    finally:
        signal.alarm(0)
