"""What is said not to be protected."""

from pathlib import Path

import pytest
from nightsafe.jobs.job import Job
from nightsafe.jobs.job_state import JobState
from nightsafe.resident.coverage import linked_folders, missing_paths, shrinkage, uncovered_folders

from tests.support.waiting import wait_until
from tests.unit.agent.resident.test_service import SLOW, Computer, add, computer

__all__ = ["computer"]


def job(*paths: str) -> Job:
    return Job("x", paths, "daily 02:30")


@pytest.mark.parametrize(
    ("paths", "uncovered"),
    [
        ([], ["/h/Docs", "/h/Music"]),
        (["/h/Docs"], ["/h/Music"]),
        (["/h"], []),
        (["/"], []),
        (["/h/Docs/part", "/h/Mus"], ["/h/Docs", "/h/Music"]),
        (["/h/Docs/", "/h/Music/."], []),
    ],
)
def test_folders_outside_every_job(paths: list[str], uncovered: list[str]) -> None:
    jobs = [job(path) for path in paths]
    assert uncovered_folders(jobs, ["/h/Docs", "/h/Music"]) == uncovered


def test_a_folder_that_is_a_link_is_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = str(tmp_path / "Docs")
    (tmp_path / "Docs").symlink_to(tmp_path / "disk")
    assert uncovered_folders([job(str(tmp_path / "disk"))], [link]) == []
    # Of a link alone only the link is backed up.
    assert uncovered_folders([job(link)], [link]) == [link]
    assert linked_folders(job(link, str(tmp_path))) == [link]
    (tmp_path / "gone").symlink_to(tmp_path / "none")
    assert missing_paths(job(str(tmp_path / "gone"), str(tmp_path / "none"))) == [
        str(tmp_path / "none")
    ]


def test_few_files_are_no_news() -> None:
    assert shrinkage(JobState(files=3)) == ""
    assert "holds 3 files, and an earlier one held 900" in shrinkage(
        JobState(files=3, files_before=900)
    )


def test_an_empty_disk_is_told_and_nothing_old_is_lost(computer: Computer) -> None:
    docs = computer.home / "docs"
    for number in range(30):
        (docs / f"letter {number}").write_text("dear")
    add(computer, schedule="every 6h")
    home = computer.home / "home"
    (home / "Pictures").mkdir(parents=True)
    computer.environ |= {"HOME": str(home)}
    with computer.agent():
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["state"] == "complete", SLOW, lambda: computer.log)
        first = computer.status()
        assert (first["files"], first["files_before"], first["missing"]) == (31, 0, [])
        docs.rename(computer.home / "unmounted")
        docs.mkdir()
        computer.travel(hours=6)
        wait_until(lambda: computer.status()["files"] == 0, SLOW, lambda: computer.log)
    told = computer.status()
    assert (told["state"], told["files_before"]) == ("complete", 31)
    assert "holds 0 files, and an earlier one held 31" in computer.run("status").stdout
    assert "an earlier one held 31" in computer.log
    assert computer.json("status")["coverage"] == {"uncovered": [str(home / "Pictures")]}
    assert f"No job backs up: {home / 'Pictures'}" in computer.run("status").stdout
    assert len(computer.snapshots()) == 2

    computer.run("jobs", "run", "docs")
    assert computer.status()["files_before"] == 31  # until the files are back, or it is accepted
    assert computer.json("jobs", "accept", "docs") == {"accepted": "docs", "files": 0}
    assert computer.status()["files_before"] == 0
    docs.rmdir()
    assert f"NOT THERE NOW: {docs}" in computer.run("status").stdout
    assert computer.status()["missing"] == [str(docs)]
    computer.run("jobs", "run", "docs", status=1)
    assert len(computer.snapshots()) == 3  # a folder that is not there makes no empty snapshot
    (computer.home / "unmounted").rename(docs)
    computer.run("jobs", "run", "docs")
    assert computer.status()["files_before"] == 0


def test_a_link_is_said_to_be_one(computer: Computer) -> None:
    (computer.home / "link").symlink_to(computer.home / "docs")
    link = str(computer.home / "link")
    added = computer.run("jobs", "add", "docs", "--paths", link, "--schedule", "manually")
    assert f"The folder is {computer.home / 'docs'}" in added.stderr
    assert computer.status()["links"] == [link]
    assert f"ONLY LINKS, not what they lead to: {link}" in computer.run("status").stdout


def test_options_of_the_command_line_hold_for_the_backup(computer: Computer) -> None:
    """And a limit that is given to `jobs add` is the job's."""
    add(computer, "--limit-upload", "5M 00:00-24:00", schedule="manually")
    (found,) = computer.json("jobs", "list")["jobs"]
    assert found["limit_upload"] == ["5M 00:00-24:00"]
    passphrase = computer.home / "passphrase"
    passphrase.write_text(computer.environ.pop("NIGHTSAFE_PASSWORD"))
    computer.run("jobs", "run", "docs", status=1)
    told = ("--password-file", str(passphrase))
    computer.run("jobs", "run", "docs", *told, "--limit-upload", "9M")
    assert len(computer.json("snapshots", *told)["snapshots"]) == 1
    # Elsewhere it would count as done, and the vault would lack it.
    refused = computer.run("jobs", "run", "docs", "-r", str(computer.home / "other"), status=1)
    assert "For another place there is `nightsafe backup -r`" in refused.stderr


def test_in_a_locale_of_seven_bits(computer: Computer) -> None:
    folder = computer.home / "docs" / "über"
    folder.mkdir()
    (folder / "Grüße").write_text("x")
    computer.run("jobs", "add", "docs", "--paths", str(folder), "--schedule", "manually")
    computer.environ |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert "has not run yet" in computer.run("status").stdout
    computer.run("jobs", "run", "docs")
    assert computer.status()["files"] == 1
    assert computer.status()["missing"] == []
