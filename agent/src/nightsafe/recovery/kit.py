"""What stands on a recovery kit, as a page to print and as plain text.

Both are one file that asks for nothing else, so that it opens on any computer, in any year.
"""

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

_WIDTH = 78
_KEEPING = (
    "can read all that is backed up. Keep it as you keep a passport: on paper, away from this "
    "computer, where somebody you trust finds it."
)
_OF_SITE = (
    "The password of the website",
    "lets you sign in; it opens no backup, and can be reset.",
)
_PASSWORDS = (
    (
        "The passphrase of the vault",
        "encrypts what is backed up. It is in your head, or your password manager, and nobody can "
        "reset it.",
    ),
    (
        "The recovery words on this sheet",
        "open the vault instead of the passphrase. Nobody can make them again.",
    ),
)
_STYLE = """
  body { font: 11pt/1.45 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto;
    padding: 0 1rem; color: #111; background: #fff }
  h1 { font-size: 1.6rem; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 1.4rem 0 .3rem }
  p { margin: .3rem 0 } dt { font-weight: 600 } dd { margin: 0 0 .4rem }
  .words { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: center;
    border: 2px solid #111; border-radius: .5rem; padding: 1rem }
  .words ol { columns: 3 8rem; column-gap: 1.5rem; margin: 0; padding-left: 1.6rem;
    flex: 1 1 20rem }
  .words li { font: 600 1.05rem/1.7 ui-monospace, monospace }
  pre { background: #f2f2f2; padding: .6rem .8rem; border-radius: .3rem; white-space: pre-wrap;
    overflow-wrap: anywhere; margin: .4rem 0 }
  @media print {
    body { margin: 0; max-width: none } pre { border: 1px solid #999; background: none }
  }
"""


class Step(NamedTuple):
    """What to do, and what to type for it, line by line."""

    text: str
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Kit:
    """What a kit says. `folder` is set for a repository in a folder, `url` for one on a server.

    `words` are the second key of the vault. `site` is the website's address, if it is known.
    """

    words: str
    computer: str
    made: datetime
    url: str = ""
    folder: str = ""
    site: str = ""

    @property
    def location(self) -> str:
        """Return where the vault is."""
        return self.url or self.folder

    @property
    def warning(self) -> str:
        """Return what the sheet is worth to somebody else."""
        way = (
            "gets into your account, or at a copy of the vault,"
            if self.url
            else "gets at the vault"
        )
        return f"Whoever has this sheet and {way} {_KEEPING}"

    @property
    def passwords(self) -> Sequence[tuple[str, str]]:
        """Return what each password is called, and what it is for."""
        return (_OF_SITE, *_PASSWORDS) if self.url else _PASSWORDS

    def with_nightsafe(self) -> list[Step]:
        """Return how files are restored with the agent."""
        steps = [Step("Install the agent. " + self._where_from("download/"))]
        if self.url:
            site = self.site or "WEBSITE"
            steps.append(
                Step(
                    "Connect the computer: sign in on the website, and confirm the code that is "
                    "shown there. Choose a connection that restores only.",
                    [f"nightsafe login {site}"],
                )
            )
            place = ""
        else:
            place = f"-r {quoted(self.folder)} "
        steps.append(
            Step(
                "See what there is, and restore. Asked for the passphrase, type the recovery "
                "words; capitals do not matter, and of each word four letters are enough.",
                [
                    f"nightsafe {place}snapshots",
                    f"nightsafe {place}restore latest --target restored",
                ],
            )
        )
        return steps

    def with_restic(self) -> list[Step]:
        """Return how files are restored without anything of ours."""
        words = (
            "Asked for the password, type the recovery words in small letters, one space between."
        )
        if not self.url:
            steps = [Step("Install restic 0.14 or newer; most systems have it.")]
            place = quoted(self.folder)
        else:
            steps = [
                Step(
                    "Install restic 0.14 or newer, and make a credential that restores only on the "
                    f"vault's page. {self._where_from('')}".rstrip()
                ),
                Step(
                    "Say which credential it is (restic before 0.15 wants both in the address, "
                    "rest:https://NAME:SECRET@...).",
                    ["export RESTIC_REST_USERNAME=NAME", "export RESTIC_REST_PASSWORD=SECRET"],
                ),
            ]
            place = f"rest:{self.url}"
        restore = f"restic -r {place} restore latest --target restored"
        return [*steps, Step(words, [f"restic -r {place} snapshots", restore])]

    def _where_from(self, page: str) -> str:
        if self.folder:
            return ""
        if self.site:
            return f"It is at {self.site}/{page}."
        return "It is on the website where you signed up."


def quoted(text: str) -> str:
    """Return a path as a shell takes it."""
    import shlex

    return shlex.quote(text)


def as_text(kit: Kit) -> str:
    """Return a kit as plain text."""
    import textwrap

    def wrapped(text: str, indent: str = "") -> str:
        return textwrap.fill(
            text,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=" " * len(indent),
            break_long_words=False,
            break_on_hyphens=False,
        )

    lines = ["NIGHTSAFE RECOVERY KIT", "", f"Vault     {kit.location}"]
    lines += [f"Computer  {kit.computer}", f"Made      {_day(kit)}", "", "RECOVERY WORDS", ""]
    words = [f"{number:2}. {word:10}" for number, word in enumerate(kit.words.split(), 1)]
    lines += ["  ".join(words[row::4]).rstrip() for row in range(4)]
    lines += ["", wrapped(kit.warning)]
    for title, steps in _ways(kit):
        lines += ["", title.upper(), ""]
        for number, step in enumerate(steps, 1):
            lines += [wrapped(step.text, f"{number}. "), *(f"     {one}" for one in step.commands)]
    lines += ["", "WHICH PASSWORD IS WHICH", ""]
    lines += [wrapped(f"{name} {text}", "- ") for name, text in kit.passwords]
    return "\n".join(lines) + "\n"


def as_page(kit: Kit) -> str:
    """Return a kit as a page of HTML with its picture of the words in it; it loads nothing."""
    words = "".join(f"<li>{html.escape(word)}</li>" for word in kit.words.split())
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Nightsafe recovery kit</title><style>{_STYLE}</style></head><body>",
        "<h1>Nightsafe recovery kit</h1>",
        f"<p>Of the vault <strong>{html.escape(kit.location)}</strong>, made on the computer "
        f"{html.escape(kit.computer)} on {_day(kit)}.</p>",
        f'<h2>Recovery words</h2><div class="words"><ol>{words}</ol>{_picture(kit.words)}</div>',
        f"<p>{html.escape(kit.warning)}</p>",
    ]
    for title, steps in _ways(kit):
        parts.append(f"<h2>{html.escape(title)}</h2><ol>{''.join(map(_item, steps))}</ol>")
    parts.append("<h2>Which password is which</h2><dl>")
    parts += [
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in kit.passwords
    ]
    return "\n".join([*parts, "</dl>", "</body></html>", ""])


def _ways(kit: Kit) -> list[tuple[str, list[Step]]]:
    return [
        ("To get files back with Nightsafe", kit.with_nightsafe()),
        ("To get files back with restic alone", kit.with_restic()),
    ]


def _item(step: Step) -> str:
    commands = html.escape("\n".join(step.commands))
    return f"<li>{html.escape(step.text)}{f'<pre>{commands}</pre>' if commands else ''}</li>"


def _day(kit: Kit) -> str:
    return kit.made.strftime("%Y-%m-%d")


def _picture(words: str) -> str:
    """Return the words as a QR code, an SVG; in capitals, which make it easier to read."""
    import segno

    picture = io.BytesIO()
    segno.make_qr(words.upper(), error="m").save(
        picture, kind="svg", scale=3, xmldecl=False, title="The recovery words as a QR code"
    )
    return picture.getvalue().decode()
