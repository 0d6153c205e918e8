"""A pause of the real agent: nothing begins, what runs is broken off, and afterwards it goes on."""

from tests.support.waiting import wait_until
from tests.unit.agent.resident.test_service import (
    SLOW,
    Computer,
    add,
    computer,
    give_passphrase,
    large,
)

__all__ = ["computer"]


def test_nothing_begins_during_a_pause(computer: Computer) -> None:
    add(computer)
    with computer.agent():
        assert "until `nightsafe resume`" in computer.run("pause").stdout
        wait_until(lambda: "paused until it is resumed" in computer.log, SLOW)
        computer.travel(hours=7)
        add(computer, schedule="every 1h", name="other")
        assert computer.json("status")["paused_until"] == "resume"
        assert "PAUSED" in computer.run("status").stdout
        assert computer.status()["state"] == "never"
        assert computer.status()["missed"] == 1
        computer.run("jobs", "run", "other")  # what is asked for runs all the same
        assert computer.json("resume") == {"was_paused": True}
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
    assert "There was no pause." in computer.run("resume").stdout
    assert computer.log.index("is paused") < computer.log.index("The pause is over.")


def test_a_pause_ends_by_itself_also_after_a_restart(computer: Computer) -> None:
    add(computer)
    until = computer.json("pause", "8h")["paused_until"]
    with computer.agent():
        computer.travel(hours=7)
        assert computer.json("status")["paused_until"] == until
    with computer.agent():
        assert computer.status()["state"] == "never"
        computer.travel(hours=2)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
    assert computer.json("status")["paused_until"] is None


def test_what_runs_is_broken_off_and_goes_on_afterwards(computer: Computer) -> None:
    large(computer)
    add(computer)
    with computer.agent():
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "running", SLOW, lambda: computer.log)
        computer.run("pause", "tomorrow")
        wait_until(lambda: computer.status()["state"] == "interrupted", SLOW, lambda: computer.log)
        computer.run("resume")
        wait_until(lambda: computer.status()["state"] == "running", SLOW, lambda: computer.log)
        give_passphrase(computer)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
    assert "nothing" not in computer.run("pause", "soon", status=1).stdout
