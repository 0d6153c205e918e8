"""The command `nightsafe`: parses the command line, calls one function, shows the result.

Exit status: 0 complete; 1 failed, nothing was done or no snapshot made; 2 the command line makes
no sense; 3 incomplete, some files could not be read or restored; 130 interrupted. The verbs import
what they need only when they run, which keeps the command quick to start.
"""

import argparse
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from nightsafe.cli.arguments import VerbParser
from nightsafe.cli.options import add_common
from nightsafe.cli.output import Output, let_all_be_written
from nightsafe.version import __version__

VERBS = (
    *("login", "init", "backup", "snapshots", "ls", "restore"),
    *("forget", "prune", "check", "unlock", "completion"),
)
"""In the order of the help; each is a module of `commands` with `add_parser`."""
_EPILOG = """\
The repository, the credential and the passphrase are taken from options, from the environment,
or from the stored login, in this order. Environment:
  NIGHTSAFE_REPOSITORY     URL (may hold user:secret) or folder
  NIGHTSAFE_USERNAME       user name and
  NIGHTSAFE_SECRET           secret of the credential
  NIGHTSAFE_PASSWORD       the vault's passphrase, or
  NIGHTSAFE_PASSWORD_FILE    a file that holds it, or
  NIGHTSAFE_PASSWORD_COMMAND a command that prints it
  NIGHTSAFE_CACERT         certificates to believe instead of the system's
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY  as curl and other programs read them
  NIGHTSAFE_PATIENCE       seconds for which a failing request is tried again (900)
  NIGHTSAFE_CONFIG_DIR     where the login is kept
  NIGHTSAFE_CACHE_DIR      where caches are kept
  NIGHTSAFE_DEBUG          1 shows where an error came from

Exit status: 0 complete; 1 failed; 2 the command line cannot be understood; 3 incomplete (some
files could not be read or restored); 130 interrupted.
"""


def build_parser(verbs: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """The whole command line, or as much of it as these verbs need."""
    parser = argparse.ArgumentParser(
        prog="nightsafe",
        description="Encrypted backups in restic's format, to Nightsafe or any restic repository.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nightsafe {__version__}")
    add_common(parser)
    # Without `prog` argparse would write a usage line, and load what measures terminals for that.
    places = parser.add_subparsers(
        title="verbs",
        dest="verb",
        required=True,
        metavar="VERB",
        prog=parser.prog,
        parser_class=VerbParser,
    )
    for verb in verbs:
        import_module(f"nightsafe.cli.commands.{verb}").add_parser(places)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # Hundreds of thousands of tuples may live here, and no cycles; to look at them all every
    # few hundred costs a twentieth of a restore.
    gc.set_threshold(50_000, 20, 20)
    let_all_be_written()
    arguments = sys.argv[1:] if arguments is None else arguments
    # A verb in front is the verb, and no other one has to be loaded.
    parser = build_parser(arguments[:1] if arguments[:1] and arguments[0] in VERBS else VERBS)
    args = parser.parse_args(arguments)
    output = Output(as_json=args.json, quiet=args.quiet, progress=not args.no_progress)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        status = int(args.run(args, output))
        return status or int(output.is_cut)
    except KeyboardInterrupt:
        output.error("Interrupted. What was stored so far is used by the next run.", 130)
        return 130
    except BrokenPipeError:
        # Whoever read our output has left; keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("NIGHTSAFE_DEBUG") == "1":
            raise
        return output.failure(error)


def command() -> NoReturn:
    """What the shell runs: `main`, and the end of the process.

    Taking everything apart that is loaded would take 20 ms, and the system does it as well.
    """
    _open_what_is_closed()
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # said already
            stream.flush()
    os._exit(status)


def _open_what_is_closed() -> None:
    """Stand in for standard streams that were closed before us, as some daemons do.

    Python has none then, and a file that is opened later would get one's number.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
