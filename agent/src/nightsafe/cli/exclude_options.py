"""The options of `backup` that include and exclude files."""

import argparse
import os
from typing import TYPE_CHECKING

from nightsafe.amounts import parse_size
from nightsafe.cli.arguments import non_empty
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from nightsafe.filters.exclude import ExcludeRules
    from nightsafe.progress import Issue

_EMPTY = "this path is empty: perhaps a variable is not set; nothing for it is in this snapshot"


def add_exclude_options(parser: argparse.ArgumentParser) -> None:
    """Add the options. Patterns are those of stock restic."""
    group = parser.add_argument_group(
        "what to leave out",
        "A PATTERN beginning with / fits from the root on, others anywhere; * stands for any "
        "characters of a name, ** for any folders, ! in front takes back what was said before.",
    )
    for flags, dest, metavar, text in _LISTS:
        names = flags.split()
        kind = non_empty if metavar == "FILE" else str
        group.add_argument(
            *names, dest=dest, type=kind, action="append", default=[], metavar=metavar, help=text
        )
    group.add_argument(
        "--exclude-larger-than",
        type=size_argument,
        default=None,
        metavar="SIZE",
        help="files of more than SIZE bytes (or 100K, 20M, 3G, 1T)",
    )
    group.add_argument(
        "--exclude-caches",
        action="store_true",
        help="the contents of folders that a CACHEDIR.TAG marks as caches",
    )
    group.add_argument(
        "-x", "--one-file-system", action="store_true", help="what lies on other file systems"
    )
    group.add_argument(
        "--no-default-excludes",
        action="store_true",
        help="take also the caches and trash that are otherwise left out",
    )
    group.add_argument(
        "--show-excludes", action="store_true", help="print what is left out, and do nothing"
    )


_LISTS = (
    ("--files-from", "files_from", "FILE", "take also the paths of FILE; * ? [] stand for names"),
    (
        "--files-from-verbatim",
        "files_from_verbatim",
        "FILE",
        "take also the paths of FILE, one a line, exactly as they stand",
    ),
    (
        "--files-from-raw",
        "files_from_raw",
        "FILE",
        "take also the paths of FILE, each ended by a NUL",
    ),
    (
        "-e --exclude",
        "exclude",
        "PATTERN",
        "what this pattern fits; may be repeated, as the others",
    ),
    ("--iexclude", "iexclude", "PATTERN", "the same, whatever the case of letters"),
    (
        "--exclude-file",
        "exclude_file",
        "FILE",
        "what a pattern of FILE fits: one a line, # for comments, $NAME from the environment",
    ),
    ("--iexclude-file", "iexclude_file", "FILE", "the same, whatever the case of letters"),
    (
        "--exclude-if-present",
        "exclude_if_present",
        "NAME[:HEADER]",
        "the contents of folders that hold a file NAME (that begins with HEADER)",
    ),
)


def size_argument(text: str) -> int:
    """Parse a size on the command line; raises argparse's error."""
    from nightsafe.errors import UsageError

    try:
        return parse_size(text, as_restic=True)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def find_sources(
    args: argparse.Namespace, output: Output
) -> "tuple[list[bytes], tuple[Issue, ...]]":
    """Return all paths to back up, in restic's order, and issues for unmatched lines.

    The paths come from lists and from the arguments. UsageError if there are none.
    """
    from nightsafe.errors import UsageError
    from nightsafe.filters import path_lists
    from nightsafe.progress import Issue

    sources: list[bytes] = []
    unmatched: list[Issue] = []
    for path in args.files_from:
        text = f"no path fits this line of {path}; nothing for it is in this snapshot"

        def note(line: str, text: str = text) -> None:
            unmatched.append(Issue("unreadable", line.encode("utf-8", "surrogateescape"), text))

        sources += path_lists.read_globs(path, note)
    for path in args.files_from_verbatim:
        sources += path_lists.read_verbatim(path)
    for path in args.files_from_raw:
        sources += path_lists.read_raw(path)
    sources += [os.fsencode(path) for path in args.paths if path]
    if "" in args.paths:
        unmatched.append(Issue("unreadable", b"''", _EMPTY))
    if not sources and not args.show_excludes:
        for issue in unmatched:
            output.note(str(issue))
        raise UsageError("Say what to back up: name a file or a folder, or use --files-from.")
    return sources, tuple(unmatched)


def find_rules(args: argparse.Namespace, sources: list[bytes]) -> "ExcludeRules":
    """Return the rules given by the options. UsageError if they are invalid."""
    from nightsafe.filters.exclude import CACHE_TAG, ExcludeRules, defaults_for
    from nightsafe.filters.path_lists import read_patterns
    from nightsafe.fs.files import as_text

    patterns = [] if args.no_default_excludes else list(defaults_for(sources))
    patterns += map(as_text, args.exclude)
    for path in args.exclude_file:
        patterns += read_patterns(path)
    caseless = list(map(as_text, args.iexclude))
    for path in args.iexclude_file:
        caseless += read_patterns(path)
    markers = [_parse_marker(text) for text in args.exclude_if_present]
    return ExcludeRules(
        patterns=tuple(patterns),
        caseless=tuple(caseless),
        markers=(*markers, *([CACHE_TAG] if args.exclude_caches else [])),
        larger_than=args.exclude_larger_than,
        one_file_system=args.one_file_system,
    )


def _parse_marker(text: str) -> tuple[bytes, bytes]:
    from nightsafe.errors import UsageError

    name, _, header = os.fsencode(text).partition(b":")
    if not name:
        raise UsageError(f"--exclude-if-present {text!r} names no file.")
    return name, header


def show_rules(rules: "ExcludeRules", output: Output) -> None:
    """Print the rules as options."""
    markers = [[part.decode("utf-8", "surrogateescape") for part in pair] for pair in rules.markers]
    lines = [f"--exclude {pattern}" for pattern in rules.patterns]
    lines += [f"--iexclude {pattern}" for pattern in rules.caseless]
    lines += [
        f"--exclude-if-present {name}" + (f":{start}" if start else "") for name, start in markers
    ]
    if rules.larger_than is not None:
        lines.append(f"--exclude-larger-than {rules.larger_than}")
    lines += ["--one-file-system"] if rules.one_file_system else []
    for line in lines:
        output.line(line)
    if not lines:
        output.line("Nothing is left out.")
    output.result(
        {
            "patterns": rules.patterns,
            "caseless": rules.caseless,
            "markers": markers,
            "larger_than": rules.larger_than,
            "one_file_system": rules.one_file_system,
        }
    )
