"""The resident agent as a process: it runs what is due, and survives what happens to it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobStates
from nightsafe.jobs.jobs_file import load_jobs
from nightsafe.repository.repository import Repository
from nightsafe.resident.job_run import run_job

from tests.support.waiting import wait_until
from tests.unit.agent.conftest import PASSPHRASE

COMMAND = [sys.executable, "-m", "nightsafe"]
SLOW = 60.0  # seconds that a busy computer may need


@dataclass
class Computer:
    """A computer with settings, state, a vault in a folder, and a clock that can be moved."""

    home: Path
    environ: dict[str, str]

    def run(self, *arguments: str, status: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*COMMAND, *arguments], env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def status(self, name: str = "docs") -> dict[str, Any]:
        (found,) = [one for one in self.json("status")["jobs"] if one["name"] == name]
        return dict(found)

    def snapshots(self) -> list[Any]:
        return list(self.json("snapshots")["snapshots"])

    def travel(self, **span: float) -> None:
        """Move the agent's clock on."""
        clock = Path(self.environ["NIGHTSAFE_CLOCK"])
        ahead = float(clock.read_text()) if clock.exists() else 0.0
        unit, number = next(iter(span.items()))
        seconds = {"minutes": 60, "hours": 3600, "days": 86400}[unit]
        new = clock.with_name("clock.new")
        new.write_text(str(ahead + number * seconds))
        new.replace(clock)

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    @contextmanager
    def agent(self) -> Iterator["subprocess.Popen[bytes]"]:
        said = self.log.count("The agent is running.") if (self.home / "log").exists() else 0
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, "service", "run"], env=self.environ, stdout=log, stderr=log
            )
        try:
            wait_until(
                lambda: self.log.count("The agent is running.") > said, SLOW, lambda: self.log
            )
            yield process
        finally:
            process.terminate()
            process.wait(SLOW)


@pytest.fixture
def computer(tmp_path: Path, repository: Repository) -> Computer:
    home = tmp_path / "computer"
    (home / "docs").mkdir(parents=True)
    (home / "docs" / "letter").write_text("dear")
    environ = os.environ | {
        "NIGHTSAFE_REPOSITORY": repository.storage.location,
        "NIGHTSAFE_PASSWORD": PASSPHRASE,
        "NIGHTSAFE_CLOCK": str(home / "clock"),
        "TZ": "Europe/Berlin",
    }
    return Computer(home, environ)


def add(computer: Computer, *more: str, schedule: str = "every 6h", name: str = "docs") -> None:
    paths = ["--paths", str(computer.home / "docs")]
    computer.run("jobs", "add", name, *paths, "--schedule", schedule, *more)


def test_jobs_run_by_themselves_when_they_are_due(computer: Computer) -> None:
    add(computer)
    with computer.agent():
        assert computer.json("status")["agent"] == "running"
        assert computer.status()["state"] == "never"
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
        first = computer.status()
        assert first["missed"] == 0
        assert [one["id"] for one in computer.snapshots()] == [first["snapshot_id"]]
        computer.travel(days=3)  # as if it had slept; what was missed is one run
        wait_until(lambda: computer.status()["last"] > first["last"], SLOW, lambda: computer.log)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
    assert len(computer.snapshots()) == 2
    assert "docs: the backup is complete, snapshot " in computer.log
    assert computer.log.rstrip().endswith("The agent has stopped.")
    assert computer.json("status")["agent"] == "stopped"


def test_jobs_that_come_and_go_while_it_runs(computer: Computer) -> None:
    add(computer, schedule="manually", name="other")
    with computer.agent():
        add(computer)
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
        jobs = Path(computer.environ["NIGHTSAFE_CONFIG_DIR"]) / "jobs.toml"
        sound = jobs.read_text()
        jobs.write_text("[jobs")
        computer.travel(hours=6)
        wait_until(lambda: "cannot be understood" in computer.log, SLOW, lambda: computer.log)
        wait_until(lambda: computer.log.count("is complete") == 2, SLOW, lambda: computer.log)
        jobs.write_text(sound.replace("every 6h", "every 0h"))
        wait_until(lambda: "docs: it does not run: " in computer.log, SLOW, lambda: computer.log)
        assert computer.status()["state"] == "invalid"
        jobs.unlink()
        wait_until(lambda: "is gone, or names no job" in computer.log, SLOW, lambda: computer.log)
    assert computer.log.count("cannot be understood") == 1


def test_what_fails_is_said_and_tried_again(computer: Computer) -> None:
    (computer.home / "docs").rename(computer.home / "away")
    add(computer)
    with computer.agent():
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "failed", SLOW, lambda: computer.log)
        assert "docs: the backup FAILED: " in computer.log
        failed = computer.status()
        assert failed["error"]
        assert failed["snapshot_id"] == ""
        (computer.home / "away").rename(computer.home / "docs")
        computer.travel(minutes=6)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
    assert computer.status()["error"] == ""
    assert len(computer.snapshots()) == 1


def large(computer: Computer) -> None:
    """Have a backup take a while: the passphrase comes late, and only once it is asked for."""
    waiting = computer.home / "passphrase"
    os.mkfifo(waiting)
    computer.environ.pop("NIGHTSAFE_PASSWORD")
    computer.environ["NIGHTSAFE_PASSWORD_FILE"] = str(waiting)


def give_passphrase(computer: Computer) -> None:
    with open(computer.home / "passphrase", "w", encoding="utf-8") as file:
        file.write(PASSPHRASE)


def test_a_shutdown_breaks_a_backup_off_and_the_next_start_begins_it_again(
    computer: Computer,
) -> None:
    large(computer)
    add(computer)
    with computer.agent():
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "running", SLOW, lambda: computer.log)
    assert computer.status()["state"] == "interrupted"
    assert "docs: the backup was broken off" in computer.log
    with computer.agent():
        wait_until(lambda: computer.status()["state"] == "running", SLOW, lambda: computer.log)
        give_passphrase(computer)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)


def test_a_killed_agent_leaves_the_backup_to_its_end_and_nobody_begins_another(
    computer: Computer,
) -> None:
    large(computer)
    add(computer)
    with computer.agent() as process:
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "running", SLOW, lambda: computer.log)
        process.kill()
        process.wait(SLOW)
    assert computer.json("status")["agent"] == "stopped"
    assert computer.status()["state"] == "running"
    with computer.agent():
        refused = computer.run("jobs", "run", "docs", status=1)
        assert "docs is running already" in refused.stderr
        give_passphrase(computer)  # to the one that was there before
        wait_until(lambda: computer.log.count("the backup begins") == 2, SLOW, lambda: computer.log)
        give_passphrase(computer)  # nobody saw how that one ended
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)


def test_there_is_one_agent(computer: Computer) -> None:
    with computer.agent():
        second = computer.run("service", "run", status=1)
        assert "The agent is running already" in second.stderr


def test_a_backup_yields_to_everything_else(computer: Computer) -> None:
    large(computer)
    add(computer)
    with computer.agent() as process:
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "running", SLOW, lambda: computer.log)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        nice = {os.getpriority(os.PRIO_PROCESS, int(pid)) for pid in children}
        assert nice == {os.getpriority(os.PRIO_PROCESS, 0) + 10}


def test_a_run_by_hand_is_remembered_too(computer: Computer) -> None:
    add(computer)
    done = computer.json("jobs", "run", "docs")
    assert (done["outcome"], done["error"]) == ("complete", "")
    assert computer.status()["snapshot_id"] == done["snapshot_id"]
    (computer.home / "docs" / "letter").unlink()
    (computer.home / "docs").rmdir()
    failed = computer.run("jobs", "run", "docs", status=1)
    assert "FAILED" in failed.stdout


def test_a_run_by_hand_ends_when_it_is_interrupted(computer: Computer) -> None:
    large(computer)
    add(computer, schedule="manually")
    process = subprocess.Popen([*COMMAND, "jobs", "run", "docs"], env=computer.environ)
    wait_until(lambda: computer.status()["state"] == "running", SLOW, lambda: "it does not run")
    process.send_signal(signal.SIGINT)
    assert process.wait(SLOW) == 130
    assert computer.status()["state"] == "interrupted"


def test_unread_files_are_counted(computer: Computer) -> None:
    add(computer, str(computer.home / "nowhere"))
    done = computer.run("jobs", "run", "docs", status=3)
    assert "INCOMPLETE" in done.stdout
    status = computer.status()
    assert (status["state"], status["unread"]) == ("incomplete", 1)


def test_a_job_waits_for_its_conditions_and_others_go_on(computer: Computer) -> None:
    add(computer, "--load-below", "0.000001")
    add(computer, name="other")
    with computer.agent():
        computer.travel(hours=6)
        wait_until(
            lambda: computer.status("other")["state"] == "complete", SLOW, lambda: computer.log
        )
        assert computer.status()["state"] == "never"
        assert computer.status()["waits"].startswith("the load is ")
        assert "it waits: the load is " in computer.run("status").stdout
        jobs = Path(computer.environ["NIGHTSAFE_CONFIG_DIR"]) / "jobs.toml"
        jobs.write_text(jobs.read_text().replace("load_below = 1e-06", "load_below = 900"))
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
    assert computer.log.count("docs: it is due, and waits: the load is ") == 1


def test_commands_before_and_after_a_backup(computer: Computer) -> None:
    dump, told = computer.home / "docs" / "dump", computer.home / "told"
    add(
        *(computer, "--before", f"echo $NIGHTSAFE_JOB $NIGHTSAFE_PASSWORD. > '{dump}'"),
        *("--after", f"echo $NIGHTSAFE_OUTCOME $NIGHTSAFE_SNAPSHOT > '{told}'; echo said >&2"),
    )
    done = computer.run("jobs", "run", "docs")
    assert "said" in done.stderr
    assert dump.read_text() == "docs .\n", "the passphrase is not theirs"
    assert told.read_text() == f"complete {computer.status()['snapshot_id']}\n"
    listed = computer.run("ls", "latest", "--quiet", "--json").stdout
    assert str(dump) in listed


def test_without_what_comes_before_there_is_no_backup(computer: Computer) -> None:
    told = computer.home / "told"
    add(computer, "--before", "exit 7", "--after", f"echo $NIGHTSAFE_OUTCOME > '{told}'")
    done = computer.run("jobs", "run", "docs", status=1)
    assert "FAILED: The command before the backup ended with status 7." in done.stdout
    assert told.read_text() == "failed\n"
    assert computer.snapshots() == []


def test_what_fails_afterwards_is_said_and_the_backup_counts(computer: Computer) -> None:
    add(computer, "--after", "exit 7")
    done = computer.run("jobs", "run", "docs")
    assert "The command after the backup ended with status 7." in done.stderr
    assert computer.status()["state"] == "complete"


def test_a_run_that_takes_too_long_is_ended(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(computer.environ, "NIGHTSAFE_CONFIG_DIR", str(computer.home / "settings"))
    add(computer, "--before", "sleep 100 & sleep 100", "--timeout", "1m")
    job = load_jobs(str(computer.home / "settings" / "jobs.toml")).sound["docs"]
    monkeypatch.setattr(Job, "seconds", 1)
    states = JobStates(str(computer.home / "state"))
    state = run_job(job, states, threading.Event())
    assert state.outcome == "failed"
    assert state.error == "The command before the backup took too long, and was ended."


def test_what_is_listed_and_removed(computer: Computer) -> None:
    assert "There is no job yet" in computer.run("jobs", "list").stdout
    add(computer, "--window", "22:00-06:00", "--tag", "nightly")
    (job,) = computer.json("jobs", "list")["jobs"]
    assert (job["name"], job["schedule"]) == ("docs", "every 6h")
    assert (job["window"], job["tags"]) == (["22:00-06:00"], ["nightly"])
    assert job["paths"] == [str(computer.home / "docs")]
    assert job["next"] is not None
    assert "There is no job 'x'" in computer.run("jobs", "remove", "x", status=1).stderr
    assert computer.json("jobs", "remove", "docs") == {"removed": "docs"}
    assert computer.json("jobs", "list") == {"jobs": [], "invalid": []}
    assert computer.json("status")["jobs"] == []
