"""The options that all commands share, and how commands open repositories."""

import argparse
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nightsafe.cli.arguments import VerbParser, non_empty

if TYPE_CHECKING:
    from nightsafe.backend.base import Backend
    from nightsafe.backend.throttle import Line, Throttle
    from nightsafe.cli.output import Output
    from nightsafe.repository.repository import Repository
    from nightsafe.settings.passphrase import PassphraseSource

_SWITCH_SECONDS = 0.0005
_WEAK = (
    "Beware: the key of this repository makes guessing its passphrase cheap for whoever gets hold "
    "of it; it was made on a busy or small computer. `restic key passwd` on an idle one makes a "
    "stronger key; what is stored stays as it is."
)
Verbs = Any
"""argparse's collection of sub-parsers, whose type has no public name."""


def add_verb(
    verbs: Verbs,
    name: str,
    run: "Callable[[argparse.Namespace, Output], int]",
    *,
    help: str,
    json: str,
) -> argparse.ArgumentParser:
    """Add a sub-parser with the common options; `json` describes the output with --json."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=f"With --json: {json}",
    )
    parser.set_defaults(run=run)
    add_common(parser, argument_default=argparse.SUPPRESS)
    return parser


def add_group(verbs: Verbs, name: str, *, help: str) -> Verbs:
    """Add a subcommand that only has subcommands; return argparse's collection of these."""
    parser = verbs.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    add_common(parser, argument_default=argparse.SUPPRESS)
    return parser.add_subparsers(
        title="verbs",
        dest="act",
        required=True,
        metavar="VERB",
        prog=f"nightsafe {name}",
        parser_class=VerbParser,
    )


def add_common(parser: argparse.ArgumentParser, *, argument_default: Any = None) -> None:
    """Add the options that may be given before or after the subcommand."""
    common = parser.add_argument_group("common options")
    text: dict[str, Any] = {"default": argument_default}
    flag: dict[str, Any] = {"action": "store_true"}
    if argument_default is not None:
        flag["default"] = argument_default
    common.add_argument(
        "-r",
        "--repository",
        type=non_empty,
        metavar="URL-OR-FOLDER",
        help="the repository: a folder (or local:folder), http(s)://... or rest:http(s)://...; no "
        "secret in it",
        **text,
    )
    common.add_argument(
        "--patience",
        type=_seconds,
        metavar="SECONDS",
        help="for how long a failing request is tried again (default 900)",
        **text,
    )
    common.add_argument(
        "--cacert",
        type=non_empty,
        metavar="FILE",
        help="certificates (PEM) to believe instead of the system's, for a server with an "
        "authority of its own (default: NIGHTSAFE_CACERT)",
        **text,
    )
    common.add_argument(
        "-p",
        "--password-file",
        type=non_empty,
        metavar="FILE",
        help="a file that holds the vault's passphrase",
        **text,
    )
    common.add_argument(
        "--password-command",
        type=non_empty,
        metavar="COMMAND",
        help="a command that prints the vault's passphrase, such as that of a password manager",
        **text,
    )
    for direction, moves in (("upload", "sent"), ("download", "received")):
        common.add_argument(
            f"--limit-{direction}",
            type=non_empty,
            action="append",
            metavar="RATE",
            help=f"how fast bytes are {moves}, to or from a server, per second: 500K, 2M, or at "
            "some hours '500K mon-fri 09:00-18:00'; a bare number is KiB. The first that fits the "
            "hour holds, for all processes of this user together; may be repeated",
            **({"default": argument_default} if argument_default is not None else {}),
        )
    common.add_argument("--json", help="machine-readable output", **flag)
    common.add_argument("-q", "--quiet", help="print errors only", **flag)
    common.add_argument("--no-progress", help="no progress bar", **flag)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, such as 900")
    return value


def common_options(args: argparse.Namespace) -> "list[str]":
    """Return the common options that were given, but the repository, to be handed on."""
    told = [
        f"--{name.replace('_', '-')}={value}"
        for name in ("patience", "cacert", "password_file", "password_command")
        if (value := getattr(args, name)) is not None
    ]
    told += [f"--limit-upload={limit}" for limit in args.limit_upload or ()]
    return told + [f"--limit-download={limit}" for limit in args.limit_download or ()]


@contextmanager
def opened_storage(args: argparse.Namespace) -> "Iterator[Backend]":
    """Open the backend given by options, environment or login; it is closed afterwards."""
    from nightsafe.settings.location import find_cacert, find_location, find_patience

    location = find_location(args.repository)
    storage = location.open(
        patience=find_patience(args.patience),
        cacert=find_cacert(args.cacert),
        line=_line(args.limit_upload or [], args.limit_download or []),
    )
    try:
        yield storage
    finally:
        storage.close()


def _line(up: "list[str]", down: "list[str]") -> "Line | None":
    """Return how fast bytes may pass; None for as fast as they can."""
    if not up and not down:
        return None
    import os

    from nightsafe.backend.throttle import Line, Throttle, parse_limit
    from nightsafe.settings.login import state_dir

    def throttle(texts: "list[str]", name: str) -> "Throttle | None":
        limits = [parse_limit(text) for text in texts]
        return Throttle(limits, os.path.join(state_dir(), name)) if limits else None

    with suppress(OSError):
        os.makedirs(state_dir(), mode=0o700, exist_ok=True)
    return Line(throttle(up, "line.up"), throttle(down, "line.down"))


@contextmanager
def opened_repository(
    args: argparse.Namespace,
    output: "Output",
    *,
    meanwhile: Callable[[threading.Event], None] = lambda _: None,
) -> "Iterator[Repository]":
    """Open the repository with the passphrase; warns if its key is weak.

    `meanwhile` is called in another thread, and should return soon once its event is set.
    """
    from nightsafe.errors import PassphraseError
    from nightsafe.repository.unlock import open_key, require_config
    from nightsafe.settings.passphrase import find_passphrase

    with opened_storage(args) as storage:
        passphrase = find_passphrase(
            source=passphrase_source(args, storage), before_asking=lambda: require_config(storage)
        )
        try:
            with _in_background(meanwhile):
                unlocked = open_key(storage, passphrase.text, *passphrase.others)
        except PassphraseError as error:
            from nightsafe.settings.kept_passphrase import why_kept
            from nightsafe.settings.recovery_words import hint

            why = why_kept(passphrase.text, storage.location) or hint(passphrase.text)
            raise PassphraseError(f"{error} {why}".rstrip()) from None
        if unlocked.is_weak and not output.quiet:
            output.note(_WEAK)
        from nightsafe.repository.repository import Repository

        yield Repository.of(unlocked)


@contextmanager
def _in_background(what: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a function in a thread during the block.

    Deriving the key takes a while without Python; afterwards the thread must yield quickly.
    """
    is_over = threading.Event()

    def work() -> None:
        with suppress(Exception):  # the command itself meets any error again
            import nightsafe.repository.repository  # noqa: F401  # of which the key needs next to nothing

            what(is_over)

    aside = threading.Thread(target=work, daemon=True)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        aside.start()
        try:
            yield
        finally:
            is_over.set()
        aside.join()
    finally:
        sys.setswitchinterval(interval)


def passphrase_source(args: argparse.Namespace, storage: "Backend") -> "PassphraseSource":
    """Return where the options say that the passphrase is."""
    from nightsafe.settings.passphrase import PassphraseSource

    return PassphraseSource(args.password_file, args.password_command, storage.location)
