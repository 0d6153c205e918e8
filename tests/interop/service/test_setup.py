"""`nightsafe setup` at a terminal and from a file of answers, at a vault of the service."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from nightsafe.backend.rest_url import Credential
from nightsafe.settings.login import Login, save_login

from tests.interop.conftest import AGENT, PASSPHRASE, Done, Restic
from tests.support.gateway import Gateway, Holder
from tests.support.interop.kits import code_on
from tests.support.interop.terminal import Terminal

pytestmark = [pytest.mark.interop, pytest.mark.any_restic]


class Home:
    """A user's home with files in it, connected to a vault, where there is no systemd."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.folder = folder
        self.work = folder / "Documents"
        self.work.mkdir(parents=True)
        (self.work / "thesis").write_bytes(b"years of work")
        programs = folder / "bin"
        programs.mkdir()
        (programs / "nightsafe").symlink_to(AGENT)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("NIGHTSAFE_", "XDG_"))}
        self.environ = kept | {"HOME": str(folder), "PATH": str(programs), "TERM": "xterm"}
        login = Login(holder.url, Credential(holder.username, holder.secret))
        save_login(login, {"NIGHTSAFE_CONFIG_DIR": str(self.config)})

    @property
    def config(self) -> Path:
        return self.folder / ".config" / "nightsafe"

    def run(self, *words: str, status: int = 0, **more: str) -> Done:
        done = subprocess.run(
            [str(AGENT), *words],
            env=self.environ | more,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def set_up(self) -> Terminal:
        return Terminal([str(AGENT), "setup"], self.environ)

    def answers(self, text: str) -> str:
        path = self.folder / "answers.toml"
        path.write_text(text)
        return str(path)


def open_the_vault(terminal: Terminal, passphrase: str) -> None:
    """Answer what is asked of a computer that is connected to a vault which others made."""
    terminal.answer("Stay with that? [Y/n]", "")
    terminal.answer("Passphrase of the vault:", passphrase)
    terminal.answer("Keep it in", "")
    terminal.answer("Make one? [y/N]", "")


@pytest.fixture
def anna(gateway: Gateway, holder: Holder, tmp_path: Path) -> Home:
    return Home(tmp_path / "anna", holder)


def test_at_a_terminal(anna: Home, restic: Restic, tmp_path: Path) -> None:
    paper = anna.folder / "nightsafe-recovery-kit.txt"
    with anna.set_up() as terminal:
        terminal.answer("Stay with that? [Y/n]", "perhaps")
        terminal.answer("Answer y or n.\nThis computer is connected", "y")
        terminal.wait_for("if you lose this passphrase, your data is lost")
        terminal.answer("New passphrase for the vault:", PASSPHRASE)
        terminal.answer("The same once more:", PASSPHRASE)
        terminal.answer("Keep it in", "")
        terminal.answer("Make one? [Y/n]", "")
        terminal.answer("Where shall it be written? [~/", "kit.pdf")
        terminal.wait_for("ends in .html or .txt")
        terminal.answer("Where shall it be written?", f"~/{paper.name}")
        asked = terminal.wait_for(" off the kit").rpartition("the words ")[2]
        words = code_on(paper.read_text()).split()
        numbers = [int(number) for number in asked.partition(" off")[0].split(", ")]
        terminal.answer("Words ", " ".join(words[number - 1] for number in numbers))
        terminal.wait_for("That is right.")
        assert f"{anna.work}  1 file, 13 B" in terminal.wait_for("Folders [all]: ")
        terminal.type("7")
        terminal.answer("Type numbers from 1 to 1", "")
        terminal.answer("Others, with a comma between", "")
        terminal.answer("Schedule [daily 12:30]:", "when I like")
        terminal.answer("Schedule [daily 12:30]:", "every 4h")
        terminal.wait_for("Job files is written down: every 4h, next 20")
        terminal.wait_for("There is no systemd here")
        terminal.answer("Begin the first backup now?", "")
        terminal.wait_for("files: the backup is complete, snapshot ")
        assert terminal.end() == 0
    assert PASSPHRASE not in terminal.shown

    assert (anna.config / "passphrase.json").stat().st_mode & 0o777 == 0o600
    status = json.loads(anna.run("status", "--json").stdout)
    assert status["jobs"][0]["state"] == "complete"
    assert status["kit"]["tried_at"]
    for passphrase in (PASSPHRASE, " ".join(words)):
        target = tmp_path / passphrase[:4]
        restic.run("restore", "latest", "--target", str(target), passphrase=passphrase)
        assert (target / anna.work.relative_to("/") / "thesis").read_bytes() == b"years of work"

    # Once more: everything is there, so nothing is made twice.
    with anna.set_up() as terminal:
        terminal.answer("Stay with that? [Y/n]", "")
        terminal.wait_for("The vault is set up already.")
        terminal.wait_for("There is a job already, files:")
        terminal.answer("Stay with that?", "")
        assert terminal.end() == 0
    assert (
        json.loads(anna.run("jobs", "list", "--json").stdout)["jobs"][0]["schedule"] == "every 4h"
    )


def test_by_answers_from_a_file(anna: Home) -> None:
    paper = anna.folder / "kit.html"
    answers = anna.answers(
        f'folders = ["~/Documents"]\nschedule = "daily 02:30"\nkit = "{paper}"\njob = "work"\n'
    )
    command = ["setup", "--non-interactive", "--answers", answers, "--json"]
    told = anna.run(*command, NIGHTSAFE_PASSWORD=PASSPHRASE).stdout.splitlines()
    made = json.loads(told[-1])
    assert made["vault"] == "made"
    assert made["kit"] == str(paper)
    assert made["job"] == "work"
    assert made["next"]
    assert made["service"] == "none"
    assert made["first_backup"] == "complete"
    assert tomllib.loads((anna.config / "jobs.toml").read_text())["jobs"]["work"]["paths"] == [
        str(anna.work)
    ]
    # The passphrase is kept, so nothing more is needed.
    assert len(json.loads(anna.run("snapshots", "--json").stdout)["snapshots"]) == 1
    again = json.loads(anna.run(*command).stdout.splitlines()[-1])
    assert (again["vault"], again["kit"], again["first_backup"]) == ("opened", None, None)
    other = anna.answers('folders = ["/srv"]\nkit = ""\njob = "work"\n')
    assert "another job work" in anna.run(*command[:2], "--answers", other, status=1).stderr


def test_a_new_computer_is_set_up_with_the_kit_alone(
    anna: Home, holder: Holder, tmp_path: Path
) -> None:
    paper = tmp_path / "kit.txt"
    answers = anna.answers(f'folders = ["~/Documents"]\nkit = "{paper}"\n')
    anna.run("setup", "--answers", answers, NIGHTSAFE_PASSWORD=PASSPHRASE)
    new = Home(tmp_path / "new", holder)
    with new.set_up() as terminal:
        open_the_vault(terminal, code_on(paper.read_text()).upper())
        terminal.answer("Folders [all]: ", "")
        terminal.answer("Others, with a comma between", "")
        terminal.answer("Schedule [daily 12:30]:", "")
        terminal.answer("Begin the first backup now?", "n")
        assert terminal.end() == 0
    new.run("restore", "latest", "--target", str(new.folder / "restored"))
    restored = new.folder / "restored" / anna.work.relative_to("/") / "thesis"
    assert restored.read_bytes() == b"years of work"


def test_answers_that_will_not_do(anna: Home) -> None:
    for text, said in (
        ("", "it lacks kit"),
        ('kit = ""\n', "name at least one file or folder"),
        ('kit = ""\nfolders = ["/srv"]\nshedule = "daily 02:30"\n', "perhaps schedule is meant"),
        ('kit = ""\nfolders = ["/srv"]\nservice = "yes"\n', "service has to be true or false"),
        ('kit = ""\nfolders = [1]\n', "folders has to be a list of texts"),
        ("kit = \n", "cannot be understood"),
    ):
        done = anna.run("setup", "--answers", anna.answers(text), status=1)
        assert said in done.stderr
    assert "cannot be read" in anna.run("setup", "--answers", "/none", status=1).stderr
    assert "wants --answers" in anna.run("setup", "--non-interactive", status=1).stderr
    assert "There is no terminal" in anna.run("setup", status=1).stderr
    for text, said in (
        ('kit = "~/kit.pdf"\nfolders = ["~/Documents"]\n', "neither a page nor a text"),
        ('kit = "~/none/kit.html"\nfolders = ["~/Documents"]\n', "There is no folder"),
        ('kit = ""\nfolders = ["Documents"]\n', "has to be absolute"),
    ):
        done = anna.run(
            "setup", "--answers", anna.answers(text), status=1, NIGHTSAFE_PASSWORD=PASSPHRASE
        )
        assert said in done.stderr
    wrong = anna.answers('kit = ""\nfolders = ["~/Documents"]\nschedule = "at noon"\n')
    done = anna.run("setup", "--answers", wrong, status=1, NIGHTSAFE_PASSWORD=PASSPHRASE)
    assert "schedule: " in done.stderr
    done = anna.run("snapshots", status=1, NIGHTSAFE_PASSWORD=PASSPHRASE)
    assert "There is no repository" in done.stderr  # nothing is made before all is understood


def test_the_set_up_of_one_computer_goes_to_another(
    anna: Home, holder: Holder, tmp_path: Path
) -> None:
    answers = anna.answers('folders = ["~/Documents"]\nkit = ""\nschedule = "every 4h"\n')
    anna.run("setup", "--answers", answers, NIGHTSAFE_PASSWORD=PASSPHRASE)
    anna.run("jobs", "add", "etc", "/etc", "--schedule", "daily 02:30", "--before", "dump x")
    paper = tmp_path / "computer.toml"
    paper.write_text("my thesis")
    assert "no exported set-up" in anna.run("config", "export", str(paper), status=1).stderr
    assert paper.read_text() == "my thesis"
    paper.unlink()
    exported = anna.run("config", "export", str(paper), "--json")
    assert "the commands before and after a backup are in it" in exported.stderr
    anna.run("config", "export", str(paper))  # over an older one
    told = json.loads(exported.stdout)
    assert told == {"file": str(paper), "repository": holder.url, "jobs": ["files", "etc"]}
    text = paper.read_text()
    assert PASSPHRASE not in text
    assert holder.secret not in text
    assert "the passphrase of the vault, which nobody can reset" in text

    new = Home(tmp_path / "new", holder)
    refused = new.run("config", "import", str(paper), NIGHTSAFE_PASSWORD=PASSPHRASE, status=1)
    assert "There is no terminal to ask at" in refused.stderr
    with Terminal([str(AGENT), "config", "import", str(paper)], new.environ) as terminal:
        open_the_vault(terminal, PASSPHRASE)
        terminal.wait_for("Job files is there")
        assert terminal.end() == 0
    ours, theirs = (json.loads(one.run("jobs", "list", "--json").stdout) for one in (new, anna))
    for found in (ours, theirs):
        for job in found["jobs"]:
            del job["next"]
    assert ours == theirs

    new.run("jobs", "remove", "etc")
    new.run("jobs", "add", "etc", "/etc", "--schedule", "manually")
    with Terminal([str(AGENT), "config", "import", str(paper)], new.environ) as terminal:
        terminal.wait_for("There is another job etc here already")
        assert terminal.end() == 1


def test_what_is_no_exported_set_up(anna: Home) -> None:
    for text, said in (
        ("x = 1\n", "'x' is not known there"),
        ("site = 1\n", "another type"),
        ("jobs = 1\n", "another type"),
        ("[jobs.a]\nschedule = 'manually'\n", "job 'a': it lacks 'paths'"),
        ("[jobs\n", "cannot be understood"),
    ):
        done = anna.run("config", "import", anna.answers(text), status=1)
        assert said in done.stderr
    assert "cannot be read" in anna.run("config", "import", "/none", status=1).stderr
    (anna.config / "login.json").unlink()
    assert "not connected yet" in anna.run("config", "export", "/tmp/x", status=1).stderr


def test_what_was_broken_off_is_made_up_for(anna: Home) -> None:
    """A vault without its kit, a first backup that failed, a link, a passphrase that is wrong."""
    anna.run("init", NIGHTSAFE_PASSWORD=PASSPHRASE)
    linked = anna.folder / "Pictures"
    linked.symlink_to(anna.work)
    (anna.folder / "bin" / "nightsafe").unlink()
    gone = anna.folder / "gone"
    answers = anna.answers(f'folders = ["{gone}"]\nkit = "~/kit.txt"\n')
    done = anna.run("setup", "--answers", answers, status=1, NIGHTSAFE_PASSWORD=PASSPHRASE)
    assert "All is set up but the first backup" in done.stdout
    assert len(code_on((anna.folder / "kit.txt").read_text()).split()) == 12
    gone.mkdir()
    (gone / "file").write_text("x")
    again = json.loads(anna.run("setup", "--answers", answers, "--json").stdout.splitlines()[-1])
    assert (again["kit"], again["first_backup"]) == (None, "complete")

    kept = anna.config / "passphrase.json"
    kept.write_text(kept.read_text().replace(PASSPHRASE, "another"))
    said = anna.run("snapshots", status=1).stderr
    assert f"the one that is kept in {kept}" in said
    assert str(kept) in anna.run("setup", "--answers", answers, status=1).stderr
