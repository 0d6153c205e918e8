"""Processes that end with the launcher, together with the processes that they started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from backup_service.embedded.processes.child import Child, Reaper
from backup_service.env import BASE_DIR
from tests.support.waiting import wait_until

# A child that starts a grandchild, which outlives it by itself, and tells its number.
FAMILY = (
    "import subprocess, sys, time;"
    "one = subprocess.Popen(['sleep', '60']); print(one.pid, flush=True); time.sleep(60)"
)
LAUNCHER = """
import os, sys, time
from pathlib import Path
from backup_service.embedded.processes.child import Child, Reaper
reaper = Reaper()
child = Child([sys.executable, "-c", sys.argv[1]], environment=os.environ, folder=Path("/"),
              output=None, reaper=reaper)
print(child.pid, flush=True)
if sys.argv[2] == "no reaper":
    reaper.process.kill()
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def launched(how: str) -> tuple["subprocess.Popen[str]", list[int]]:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, FAMILY, how],
        cwd=BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert launcher.stdout is not None
    return launcher, [int(launcher.stdout.readline()) for _ in range(2)]


def kill(launcher: "subprocess.Popen[str]") -> None:
    with launcher:
        launcher.kill()


def test_a_killed_launcher_takes_children_and_grandchildren_along() -> None:
    launcher, family = launched("reaper")
    assert all(is_running(pid) for pid in family)
    kill(launcher)
    wait_until(lambda: not any(is_running(pid) for pid in family), 5.0)


def test_the_kernel_ends_children_even_without_the_reaper() -> None:
    launcher, family = launched("no reaper")
    kill(launcher)
    wait_until(lambda: sum(is_running(pid) for pid in family) <= 1, 5.0)
    for pid in family:
        if is_running(pid):  # the grandchild, which only the reaper would have reached
            os.kill(pid, signal.SIGKILL)


def test_burying_a_child_ends_its_whole_group(tmp_path: Path) -> None:
    reaper = Reaper()
    told = tmp_path / "told"
    with told.open("wb") as output:
        child = Child(
            [sys.executable, "-c", FAMILY],
            environment=os.environ,
            folder=tmp_path,
            output=output.fileno(),
            reaper=reaper,
        )
    wait_until(lambda: told.read_text().endswith("\n"), 10.0)
    grandchild = int(told.read_text())
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: child.status is not None, 5.0)
    assert is_running(grandchild)
    child.bury()
    wait_until(lambda: not is_running(grandchild), 5.0)
    reaper.close()


def test_a_killed_reaper_is_replaced_and_knows_its_list(tmp_path: Path) -> None:
    reaper = Reaper()

    def start() -> Child:
        return Child(
            ["sleep", "60"], environment=os.environ, folder=tmp_path, output=None, reaper=reaper
        )

    first = start()
    reaper.process.kill()
    reaper.process.wait()
    second = start()
    reaper.close()
    for child in (first, second):
        wait_until(lambda: child.status is not None, 5.0)  # noqa: B023
        assert child.status == -signal.SIGKILL


def test_signals_to_the_terminal_do_not_reach_children(tmp_path: Path) -> None:
    reaper = Reaper()
    child = Child(
        ["sleep", "60"], environment=os.environ, folder=tmp_path, output=None, reaper=reaper
    )
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    assert child.status is None
    child.bury()
    assert child.status == -signal.SIGKILL
    reaper.close()
