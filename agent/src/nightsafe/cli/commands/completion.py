"""`nightsafe completion`: print shell completions or the manual page.

Everything is generated from the parser.
"""

import argparse
import re
from collections.abc import Iterator
from typing import NamedTuple

from nightsafe.cli.options import Verbs, add_verb
from nightsafe.cli.output import Output

_SHELLS = ("bash", "zsh", "fish", "man")


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "completion",
        run,
        help="print a script that completes verbs and options in a shell, or the manual page",
        json="the same text; there is no other form",
    )
    parser.add_argument(
        "shell",
        choices=_SHELLS,
        help="bash: source <(nightsafe completion bash); zsh: put it into a folder of fpath as "
        "_nightsafe; fish: into ~/.config/fish/completions/nightsafe.fish; man: the page",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Print the requested script or page."""
    from nightsafe.cli import build_parser

    parser = build_parser()
    writers = {"bash": bash, "zsh": zsh, "fish": fish, "man": man}
    print(writers[args.shell](parser), end="")  # noqa: T201
    return 0


class Flag(NamedTuple):
    """An option: its names, its help, and the name and choices of its value."""

    names: tuple[str, ...]
    text: str
    metavar: str = ""
    choices: tuple[str, ...] = ()


class Verb(NamedTuple):
    """A subcommand with its own and the common options, and the choices of its operands."""

    name: str
    text: str
    flags: tuple[Flag, ...]
    choices: tuple[str, ...] = ()
    acts: tuple["Verb", ...] = ()
    """Its own subcommands, if that is what its operands are; then the flags are theirs."""


def describe(parser: argparse.ArgumentParser) -> list[Verb]:
    """Return a parser's subcommands; the first one, without a name, is the command itself."""
    verbs = _verbs(parser)
    names = tuple(verb.name for verb in verbs)
    whole = Verb("", parser.description or "", tuple(_flags(parser)), names)
    return [whole, *verbs]


def _verbs(parser: argparse.ArgumentParser, before: str = "") -> tuple[Verb, ...]:
    for group in parser._actions:
        if isinstance(group, argparse._SubParsersAction):
            texts = {choice.dest: choice.help or "" for choice in group._choices_actions}
            return tuple(_verb(before + n, texts[n], p) for n, p in group.choices.items())
    return ()


def _verb(name: str, text: str, parser: argparse.ArgumentParser) -> Verb:
    if acts := _verbs(parser, f"{name} "):
        flags = tuple(dict.fromkeys(flag for act in acts for flag in act.flags))
        words = tuple(act.name.removeprefix(f"{name} ") for act in acts)
        return Verb(name, text, flags, words, acts)
    plain = [a for a in parser._actions if not a.option_strings and a.choices]
    choices = tuple(str(choice) for action in plain for choice in action.choices or ())
    return Verb(name, text, tuple(_flags(parser)), choices)


def _flags(parser: argparse.ArgumentParser) -> Iterator[Flag]:
    for action in parser._actions:
        if action.option_strings:
            metavar = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
            choices = tuple(map(str, action.choices or ()))
            yield Flag(tuple(action.option_strings), action.help or "", metavar, choices)


def bash(parser: argparse.ArgumentParser) -> str:
    """Return a completion script for bash."""
    whole, *verbs = describe(parser)
    cases = [
        f"    {verb.name}) words='{' '.join([*_names(verb), *verb.choices])}' ;;" for verb in verbs
    ]
    names = "|".join(verb.name for verb in verbs)
    chosen = "|".join(verb.name for verb in verbs if verb.choices)
    valued = "|".join(
        sorted({n for verb in verbs for f in verb.flags if f.metavar for n in f.names})
    )
    return f"""\
_nightsafe() {{
  local word verb= words current="${{COMP_WORDS[COMP_CWORD]}}"
  COMPREPLY=()
  case "${{COMP_WORDS[COMP_CWORD-1]}}" in
    {valued}) return ;;
  esac
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in
      {names}) verb=$word; break ;;
    esac
  done
  case "$verb" in
    '') words='{" ".join([*whole.choices, *_names(whole)])}' ;;
{chr(10).join(cases)}
  esac
  if [[ $current == -* || -z $verb || $verb == @({chosen}) ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -o default -F _nightsafe nightsafe
"""


def _names(verb: Verb) -> list[str]:
    return [name for flag in verb.flags for name in flag.names]


def zsh(parser: argparse.ArgumentParser) -> str:
    """Return a completion script for zsh."""
    whole, *verbs = describe(parser)
    listed = "\n".join(f"    {_quote(f'{verb.name}:{_short(verb.text)}')}" for verb in verbs)
    cases = "\n".join(
        f"    {verb.name}) _arguments -s {_zsh_flags(verb)} {_zsh_rest(verb)} ;;" for verb in verbs
    )
    return f"""\
#compdef nightsafe
_nightsafe() {{
  local -a verbs
  verbs=(
{listed}
  )
  local context state state_descr line
  typeset -A opt_args
  _arguments -C -s {_zsh_flags(whole)} '1:verb:->verb' '*::argument:->rest'
  case $state in
  verb) _describe verb verbs ;;
  rest)
    case $line[1] in
{cases}
    esac ;;
  esac
}}
_nightsafe "$@"
"""


def _zsh_flags(verb: Verb) -> str:
    return " ".join(map(_zsh_flag, verb.flags))


def _zsh_flag(flag: Flag) -> str:
    text = re.sub(r"([\[\]:\\])", r"\\\1", _short(flag.text))
    value = f":{flag.metavar.lower()}:_files" if flag.metavar else ""
    names = "{" + ",".join(flag.names) + "}" if len(flag.names) > 1 else flag.names[0]
    return f"'*'{names}{_quote(f'[{text}]{value}')}"


def _zsh_rest(verb: Verb) -> str:
    return f"'*:argument:({' '.join(verb.choices)})'" if verb.choices else "'*:argument:_files'"


def fish(parser: argparse.ArgumentParser) -> str:
    """Return a completion script for fish."""
    whole, *verbs = describe(parser)
    names = " ".join(verb.name for verb in verbs)
    lines = ["complete -c nightsafe -e"]
    start = f"complete -c nightsafe -n 'not __fish_seen_subcommand_from {names}'"
    lines += [f"{start} -f -a {verb.name} -d {_quote(_short(verb.text))}" for verb in verbs]
    lines += [f"{start} {_fish_flag(flag)}" for flag in whole.flags]
    for verb in verbs:
        start = f"complete -c nightsafe -n '__fish_seen_subcommand_from {verb.name}'"
        lines += [f"{start} {_fish_flag(flag)}" for flag in verb.flags]
        lines += [f"{start} -f -a {choice}" for choice in verb.choices]
    return "\n".join(lines) + "\n"


def _fish_flag(flag: Flag) -> str:
    names = [f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in flag.names]
    value = " -r" if flag.metavar else ""
    return f"{' '.join(names)}{value} -d {_quote(_short(flag.text))}"


def _short(text: str) -> str:
    """Return the first clause of a help text, on one line."""
    return " ".join(re.split(r"[;(]", text.replace("%%", "%"), maxsplit=1)[0].split())


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def man(parser: argparse.ArgumentParser) -> str:
    """Return the manual page in man macros."""
    whole, *verbs = describe(parser)
    lines = ['.TH NIGHTSAFE 1 "" nightsafe "User commands"', ".SH NAME"]
    lines += ["nightsafe \\- encrypted backups in restic's format", ".SH SYNOPSIS"]
    lines += [".B nightsafe", "[\\fIoptions\\fR] \\fIverb\\fR [\\fIarguments\\fR]"]
    lines += [".SH DESCRIPTION", _roff(whole.text), ".SH COMMON OPTIONS"]
    lines += _man_flags(whole.flags)
    common = {flag.names for flag in whole.flags}
    for verb in verbs:
        lines += [f".SH {_roff(verb.name.upper())}", _roff(_sentence(verb.text))]
        for part in verb.acts:
            lines += [f".SS {_roff(part.name)}", _roff(_sentence(part.text))]
            lines += _man_flags(tuple(flag for flag in part.flags if flag.names not in common))
        if not verb.acts:
            lines += _man_flags(tuple(flag for flag in verb.flags if flag.names not in common))
    lines += [".SH ENVIRONMENT AND EXIT STATUS", ".nf", _roff(parser.epilog or ""), ".fi"]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _man_flags(flags: tuple[Flag, ...]) -> list[str]:
    lines = []
    for flag in flags:
        value = f" \\fI{_roff(flag.metavar)}\\fR" if flag.metavar else ""
        names = ", ".join(f"\\fB{_roff(name)}\\fR" for name in flag.names)
        lines += [".TP", f"{names}{value}", _roff(flag.text.replace("%%", "%"))]
    return lines


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in ".'" else line for line in escaped.split("\n"))
