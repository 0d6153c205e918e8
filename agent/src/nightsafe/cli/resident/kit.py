"""`nightsafe kit`: make a recovery kit, and see whether it opens the vault."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from nightsafe.cli.arguments import non_empty
from nightsafe.cli.format import printable
from nightsafe.cli.options import Verbs, add_group, add_verb, opened_repository, opened_storage
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from nightsafe.recovery.kit import Kit
    from nightsafe.repository.repository import Repository

_ASKED = 3
_WINDOW = (
    "After a vault's first hour its keys are changed only while its owner lets a credential do so: "
    "on the vault's page, at this computer's credential, choose “Change keys”. Then run this again."
)


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommands and their options."""
    acts = add_group(
        verbs, "kit", help="make or try a recovery kit: a sheet of paper that opens the vault"
    )
    write = add_verb(
        acts,
        "write",
        _write,
        help="make twelve words, a second key of the vault, and write them to a file to be "
        "printed, with the steps of a restore",
        json='one object {"file", "vault", "key_id", "tried": whether some words were typed again}',
    )
    write.add_argument(
        "file",
        type=non_empty,
        metavar="FILE",
        help="a new file: a page (.html), or plain text (.txt)",
    )
    write.add_argument(
        "--site", type=non_empty, metavar="WEBSITE", help="the website's address, for the kit"
    )
    add_verb(
        acts,
        "test",
        _test,
        help="type the words of a kit, or hand them over on standard input, and see whether they "
        "open the vault",
        json='one object {"vault", "opens": true}; words that do not are an error',
    )


def _write(args: argparse.Namespace, output: Output) -> int:
    """Write a kit, and let some of its words be typed again."""
    from nightsafe.recovery.write_kit import require_writable

    require_writable(args.file)  # before anybody has to type a passphrase
    with opened_repository(args, output) as repository:
        key, tried = make_kit(repository, args.file, args.site or "", output)
    vault = repository.storage.location
    output.result({"file": args.file, "vault": vault, "key_id": key, "tried": tried})
    return 0


def make_kit(repository: "Repository", path: str, site: str, output: Output) -> tuple[str, bool]:
    """Write a kit, and let some of its words be typed again; return the key's id, and whether.

    SettingsError, UsageError and the storage's errors; then there is neither a file nor a key.
    """
    from nightsafe.errors import AccessRefusedError
    from nightsafe.jobs import clock
    from nightsafe.recovery.record import save_kit_record
    from nightsafe.recovery.write_kit import write_kit

    kit = _new_kit(repository, site)
    try:
        key = write_kit(repository.storage, repository.master, kit, path)
    except AccessRefusedError as error:
        raise AccessRefusedError(f"{error} {_WINDOW}") from None
    vault = repository.storage.location
    save_kit_record(vault, made_at=clock.now())
    output.line(printable(f"The recovery kit is in {path}, and its words open the vault."))
    output.line(
        "Print it, or copy it by hand, and put it where you keep what must not be lost. Then "
        "remove the file: whoever reads it and gets at the vault can read everything."
    )
    tried = _ask_for_words(kit.words, output)
    if tried:
        save_kit_record(vault, tried_at=clock.now())
    return key, tried


def _new_kit(repository: "Repository", site: str) -> "Kit":
    import socket

    from nightsafe.jobs import clock
    from nightsafe.recovery.kit import Kit
    from nightsafe.settings.location import folder_of
    from nightsafe.settings.recovery_words import new_words

    location = repository.storage.location
    folder = folder_of(location)
    return Kit(
        words=new_words(),
        computer=socket.gethostname(),
        made=clock.now().astimezone(),
        url="" if folder is not None else location,
        folder=os.path.abspath(folder) if folder is not None else "",
        site=(site or _known_site(location)).rstrip("/"),
    )


def _known_site(location: str) -> str:
    """Return the website by which this computer was connected to a vault; empty if not known."""
    from nightsafe.errors import SettingsError
    from nightsafe.settings.login import load_login

    try:
        login = load_login()
    except SettingsError:
        return ""
    return login.site if login is not None and login.url == location else ""


def _ask_for_words(all_words: str, output: Output) -> bool:
    """Let somebody type a few words off the sheet; returns whether they did."""
    if output.as_json or not sys.stdin.isatty():
        output.line("Once it is printed, see whether it can be read: nightsafe kit test")
        return False
    import random

    from nightsafe.settings.recovery_words import split

    words = all_words.split()
    asked = sorted(random.SystemRandom().sample(range(len(words)), _ASKED))
    names = ", ".join(str(number + 1) for number in asked)
    output.note(
        f"To see whether it can be read, type the words {names} off the kit (Enter to do it later "
        "with `nightsafe kit test`)."
    )
    while True:
        print(f"Words {names}: ", end="", file=sys.stderr, flush=True)  # noqa: T201
        typed = split(sys.stdin.readline())
        if not typed:
            output.note("Not tried yet.")
            return False
        if [word[:4] for word in typed] == [words[number][:4] for number in asked]:
            output.line("That is right.")
            return True
        output.note("That is not what the kit says. Look at the numbers, and try again.")


def _test(args: argparse.Namespace, output: Output) -> int:
    """Open the vault with typed words."""
    from nightsafe.jobs import clock
    from nightsafe.recovery.record import save_kit_record
    from nightsafe.repository.repository import Repository
    from nightsafe.repository.unlock import open_key, require_config
    from nightsafe.settings.recovery_words import read_words

    with opened_storage(args) as storage:
        require_config(storage)
        if sys.stdin.isatty():
            print("The twelve words of the kit: ", end="", file=sys.stderr, flush=True)  # noqa: T201
        words = read_words(sys.stdin.readline() if sys.stdin.isatty() else sys.stdin.read(4096))
        vault = Repository.of(open_key(storage, words)).storage.location
    save_kit_record(vault, tried_at=clock.now())
    output.line(f"The words open the vault at {vault}.")
    output.result({"vault": vault, "opens": True})
    return 0
