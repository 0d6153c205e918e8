"""The command `nightsafe`: parses the command line, calls one function, shows the result.

Exit status: 0 complete; 1 failed, nothing was done or no snapshot made; 2 invalid command line; 3
incomplete, some files could not be read or restored; 130 interrupted. Subcommands import what they
need only when they run, which keeps the command quick to start.
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
from nightsafe.cli.output import Output, replace_unencodable
from nightsafe.version import __version__

_BY_ITSELF = ("kit", "drill", "jobs", "service", "pause", "resume", "status", "schedule")
VERBS = (
    "setup",
    "config",
    *("login", "init", "backup", "snapshots", "ls", "restore"),
    *("forget", "prune", "check", "unlock", *_BY_ITSELF, "completion"),
)
"""Subcommands in the order of the help; each is a module of a package here."""
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
  NIGHTSAFE_STATE_DIR      where it is kept what became of the jobs
  NIGHTSAFE_DEBUG          1 shows where an error came from

Exit status: 0 complete; 1 failed; 2 the command line cannot be understood; 3 incomplete (some
files could not be read or restored); 130 interrupted.
"""


def build_parser(verbs: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """Build the parser, with these subcommands only."""
    parser = argparse.ArgumentParser(
        prog="nightsafe",
        description="Encrypted backups in restic's format, to Nightsafe or any restic repository.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nightsafe {__version__}")
    add_common(parser)
    # Without `prog` argparse formats a usage line and loads modules that measure terminals.
    subparsers = parser.add_subparsers(
        title="verbs",
        dest="verb",
        required=True,
        metavar="VERB",
        prog=parser.prog,
        parser_class=VerbParser,
    )
    for verb in verbs:
        import_module(f"nightsafe.cli.{_package_of(verb)}.{verb}").add_parser(subparsers)
    return parser


def _package_of(verb: str) -> str:
    if verb in ("setup", "config"):
        return "setup"
    return "resident" if verb in _BY_ITSELF else "commands"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    # There may be hundreds of thousands of tuples and no cycles; collecting every few hundred
    # allocations takes a twentieth of a restore's time.
    gc.set_threshold(50_000, 20, 20)
    replace_unencodable()
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = build_parser(_needed(arguments))
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
        # The reader of our output is gone; keep Python from reporting that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("NIGHTSAFE_DEBUG") == "1":
            raise
        return output.failure(error)


def _needed(arguments: Sequence[str]) -> Sequence[str]:
    """Return the subcommands that have to be loaded to understand a command line."""
    match arguments:
        case ["--version", *_]:
            return ()
        case [verb, *_] if verb in VERBS:
            return (verb,)
    return VERBS


def command() -> NoReturn:
    """Run `main` and end the process; the console script's entry point.

    A regular interpreter shutdown would take 20 ms and achieve no more.
    """
    _reopen_closed_streams()
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # reported already
            stream.flush()
    os._exit(status)


def _reopen_closed_streams() -> None:
    """Open the null device for standard streams that were closed, as some daemons do.

    Python has no such stream then, and the next file to be opened would get its descriptor.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free descriptor
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
