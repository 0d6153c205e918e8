"""Where the passphrase comes from besides the environment: option, command, keychain."""

import fcntl
import io
import os
import pty
import select
import subprocess
import sys
import termios
from pathlib import Path
from types import ModuleType

import pytest
from nightsafe.backend.local import LocalBackend
from nightsafe.cli import main
from nightsafe.errors import SettingsError, UsageError
from nightsafe.repository.repository import Repository
from nightsafe.settings.passphrase import PassphraseSource, choose_passphrase, find_passphrase
from nightsafe.settings.strength import weakness

from tests.support.repositories import CHEAP
from tests.unit.agent.conftest import PASSPHRASE

MAIN = "from nightsafe.cli import main; raise SystemExit(main())"


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_of_a_command(tmp_path: Path) -> None:
    environ = {"NIGHTSAFE_PASSWORD_COMMAND": "printf ' two words \\n'"}
    assert find_passphrase(environ) == ("two words", (" two words ",))
    environ |= {"NIGHTSAFE_PASSWORD": "other"}
    assert find_passphrase(environ, PassphraseSource(command="echo mine")).text == "mine"
    assert choose_passphrase({}, PassphraseSource(command="echo mine")) == "mine"
    (tmp_path / "file").write_text("of the file\n")
    of_file = PassphraseSource(file=str(tmp_path / "file"))
    assert find_passphrase(environ, of_file) == ("of the file", ())


def test_no_shell_reads_the_command() -> None:
    assert find_passphrase({}, PassphraseSource(command="echo $HOME `id`")).text == "$HOME `id`"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("false", "ended with status 1"),
        ("true", "printed nothing"),
        ("/nowhere/at/all", "No such file"),
        ("echo 'open", "cannot be run"),
    ],
)
def test_a_failing_command_is_said(command: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        find_passphrase({"NIGHTSAFE_PASSWORD": "unused"}, PassphraseSource(command=command))


def test_what_a_failing_command_printed_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        find_passphrase({}, PassphraseSource(command="sh -c 'echo top-secret; exit 1'"))
    assert "top-secret" not in str(caught.value)


def test_one_way_only() -> None:
    with pytest.raises(UsageError):
        find_passphrase({}, PassphraseSource(file="a", command="b"))


def test_of_the_keychain(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("keyring")
    held = {("nightsafe", "/vault"): "kept"}
    module.get_password = lambda service, user: held.get((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    source = PassphraseSource(location="/vault")
    assert find_passphrase({}, source).text == "kept"
    assert find_passphrase({"NIGHTSAFE_PASSWORD": "x"}, source).text == "x"
    with pytest.raises(SettingsError, match="no terminal"):
        find_passphrase({}, PassphraseSource(location="/other"))
    module.get_password = lambda service, user: 1 / 0  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match="no terminal"):
        find_passphrase({}, PassphraseSource(location="/vault"))


# What a file holds, what stock restic makes of it, and what earlier versions of this program did.
FILES = {
    "plain": (b"secret\n", "secret", "secret"),
    "UTF-8 with mark": (b"\xef\xbb\xbfsecret\r\n", "secret", "\ufeffsecret"),
    "UTF-16, little end first": (
        "\ufeffsécret\r\n".encode("utf-16-le"),
        "sécret",
        "\udcff\udcfes\0\udce9\0c\0r\0e\0t\0\n\0\n\0",
    ),
    "UTF-16, big end first": (
        "\ufeffpaß\n".encode("utf-16-be"),
        "paß",
        "\udcfe\udcff\0p\0a\0\udcdf\0",
    ),
    "blanks around": (b" \t secret word \n\n", "secret word", " \t secret word "),
    "blanks beyond ASCII": ("\u3000se\u00a0cret\u2009\u0085".encode(), "se\u00a0cret", None),
    "blanks of Python's alone": (b"\x1csecret\x1f\n", "\x1csecret\x1f", "\x1csecret\x1f"),
    "bytes that are no text": (b"\xa0\xff\x85\n", "\udca0\udcff\udc85", "\udca0\udcff\udc85"),
    "two lines": (b"one\r\ntwo\n", "one\r\ntwo", "one\ntwo"),
    "two marks": (b"\xef\xbb\xbf\xef\xbb\xbfsecret", "\ufeffsecret", "\ufeff\ufeffsecret"),
    "cut UTF-16": (b"\xff\xfes\0e", "s\ufffd", None),
    "blanks alone": (b"   \n", "   ", "   "),
}


@pytest.mark.parametrize("form", FILES)
def test_a_file_is_read_as_stock_restic_reads_it(tmp_path: Path, form: str) -> None:
    content, text, earlier = FILES[form]
    (tmp_path / "file").write_bytes(content)
    found = find_passphrase({}, PassphraseSource(file=str(tmp_path / "file")))
    assert found.text == text
    assert earlier is None or {found.text, *found.others} == {text, earlier}


@pytest.mark.parametrize("form", FILES)
def test_what_is_made_with_a_file_can_be_opened_by_typing(tmp_path: Path, form: str) -> None:
    (tmp_path / "file").write_bytes(FILES[form][0])
    source = PassphraseSource(file=str(tmp_path / "file"))
    if form in ("plain", "UTF-8 with mark", "blanks around", "cut UTF-16") or "first" in form:
        assert choose_passphrase({}, source) == FILES[form][1]
    elif form == "blanks beyond ASCII":
        assert choose_passphrase({}, source) == "se\u00a0cret"
    else:
        with pytest.raises(SettingsError, match=r"could type|empty"):
            choose_passphrase({}, source)


@pytest.mark.parametrize(
    "text", ["a\nb", "secret\n", "\ufeffsecret", "tab\there", "\udcff", "\x7f"]
)
def test_nothing_is_made_that_nobody_could_type(text: str) -> None:
    with pytest.raises(SettingsError, match="could type"):
        choose_passphrase({"NIGHTSAFE_PASSWORD": text})
    assert find_passphrase({"NIGHTSAFE_PASSWORD": text}).text == text


@pytest.mark.parametrize(
    "text", ["\u00e4\u4e2d\U0001f468\u200d\U0001f469", " two words ", "se\u00a0cret"]
)
def test_whatever_can_be_typed_may_be_chosen(text: str) -> None:
    assert choose_passphrase({"NIGHTSAFE_PASSWORD": text}) == text


def test_a_large_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        find_passphrase({}, PassphraseSource(file=str(tmp_path / "file")))


def test_no_passphrase_is_shown() -> None:
    assert "secret" not in repr(find_passphrase({"NIGHTSAFE_PASSWORD": "secret "}))


@pytest.mark.parametrize(
    "form", ["UTF-8 with mark", "UTF-16, big end first", "two lines", "blanks alone"]
)
def test_vaults_of_earlier_versions_open(
    folder: LocalBackend, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    content, _, earlier = FILES[form]
    Repository.create(folder, str(earlier), params=CHEAP)
    (tmp_path / "file").write_bytes(content)
    place = ["-r", folder.location, "snapshots", "--password-file", str(tmp_path / "file")]
    assert main(place) == 0
    (tmp_path / "file").write_bytes(b"x" + content)
    assert main(place) == 1
    assert "Wrong passphrase" in capsys.readouterr().err


def typed(*lines: bytes, folder: LocalBackend, verb: str = "snapshots") -> str:
    """What a command says to whoever types lines at its terminal, on standard output and there."""
    leader, terminal = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "-r", folder.location, verb],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=take_terminal,
    ) as process:
        shown = b""
        for number, line in enumerate(lines):
            while shown.count(b": ") <= number:
                shown += os.read(leader, 1000)
            os.write(leader, line)
        said = process.communicate(timeout=60)[0]
        failed = (b"Wrong", b"No passphrase", b"differ", b"no repository")
        assert process.returncode == any(text in said for text in failed)
        while select.select([leader], [], [], 0)[0]:
            shown += os.read(leader, 1000)
    os.close(terminal)
    os.close(leader)
    hidden = [line.strip() for line in lines if line.strip()]
    assert not [line for line in hidden if line in shown], "what is typed is not shown"
    return (said + shown).decode("utf-8", "replace")


@pytest.mark.parametrize("secret", ["p\u00e4ss w\u00f6rd", " blanks ", "\udcfc\udcff"])
def test_the_bytes_that_are_typed_count(folder: LocalBackend, secret: str) -> None:
    line = secret.encode("utf-8", "surrogateescape")
    Repository.create(folder, secret, params=CHEAP)
    said = typed(line + b"\n", folder=folder)
    assert "Passphrase of the vault: " in said
    assert "no snapshot yet" in said
    assert "Wrong passphrase" in typed(b"x" + line + b"\n", folder=folder)


def test_nothing_typed_is_said(repository: Repository, folder: LocalBackend) -> None:
    assert "No passphrase was typed" in typed(b"\x04", folder=folder)


def test_nobody_types_a_passphrase_for_what_is_not_there(folder: LocalBackend) -> None:
    said = typed(folder=folder)
    assert "There is no repository at" in said
    assert "Passphrase" not in said


def test_who_types_a_weak_passphrase_may_type_another(folder: LocalBackend) -> None:
    weak, strong = b"secret\n", "grün Zebra violett Anker".encode() + b"\n"
    said = typed(weak, weak, strong, strong, folder=folder, verb="init")
    assert said.count("Beware: this passphrase is easy to guess") == 2
    assert "is ready" in said
    assert "no snapshot yet" in typed(strong, folder=folder)


def test_who_wants_a_weak_passphrase_may_keep_it(folder: LocalBackend) -> None:
    assert "is ready" in typed(b"secret\n", b"\n", b"secret\n", folder=folder, verb="init")
    assert "no snapshot yet" in typed(b"secret\n", folder=folder)


def test_a_passphrase_that_is_not_typed_twice_makes_nothing(folder: LocalBackend) -> None:
    strong = b"green zebra violet anchor"
    said = typed(strong + b"\n", strong + b"s\n", folder=folder, verb="init")
    assert "The two passphrases differ; nothing was made" in said
    assert "There is no repository at" in typed(folder=folder)


@pytest.mark.parametrize(
    ("passphrase", "is_weak"),
    [
        *(("secret", True), ("Nightsafe2026", True), ("hunter2hunter2", True), ("x", True)),
        *(("correct horse battery staple", False), ("a" * 72 + "grün Zebra", True)),
        *(("grün Zebra violett Anker " * 20, False), ("\u4e2d" * 3, True), ("\udcff", True)),
    ],
)
def test_how_easy_a_passphrase_is_to_guess(passphrase: str, is_weak: bool) -> None:
    assert bool(weakness(passphrase)) == is_weak


def test_a_weak_passphrase_that_is_given_is_told(
    folder: LocalBackend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", "secret")
    assert main(["-r", folder.location, "init"]) == 0
    said = capsys.readouterr().err
    assert "easy to guess" in said
    assert "secret" not in said


def test_the_options(
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NIGHTSAFE_PASSWORD", raising=False)
    (tmp_path / "file").write_text(PASSPHRASE)
    place = ["-r", repository.storage.location, "snapshots"]
    assert main([*place, "--password-file", str(tmp_path / "file")]) == 0
    assert main([*place, "--password-command", f"cat {tmp_path}/file"]) == 0
    assert main([*place, "--password-command", "echo wrong"]) == 1
    assert "Wrong passphrase" in capsys.readouterr().err
