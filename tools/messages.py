"""`python -m tools.messages`: compiles translations, and says what is missing or left over.

It does without GNU gettext, so that nothing has to be installed for it: Django's own reader of
templates finds what is to be translated in them, Python's what is in modules, and the compiled form
is simple. https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
"""

import ast
import re
import struct
import sys
from collections.abc import Iterator

from django.utils.translation.template import templatize

from backup_service.env import BASE_DIR

LOCALE = BASE_DIR / "backup_service/locale"
TEMPLATES = BASE_DIR / "templates"
PACKAGES = ("accounts", "backup_service", "billing", "storage")
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext"}
MAGIC, REVISION, HEAD = 0x950412DE, 0, 28  # the head has seven numbers of four bytes
_CALL = r"""\b(?:_|n?gettext)\(\s*({text})(?:\s*,\s*({text}))?"""
_IN_TEMPLATES = re.compile(
    _CALL.format(text=r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""), re.DOTALL
)
# For staff, a package index, or about the API, whose description is English; `letter.html` has
# words in its style sheet only.
FOR_OTHERS = ("admin/", "public/index.html", "public/docs/reference", "notifications/letter.html")
_SAID = re.compile(
    r"{#.*?#}|{% (comment|blocktranslate)\b.*?{% end\1.*?%}|{%.*?%}|{{.*?}}|&\w+;", re.DOTALL
)
_VERBATIM = re.compile(r"<(script|style|pre|code)\b.*?</\1>", re.DOTALL)
_ELEMENT = re.compile(r"<[^>]*>", re.DOTALL)
_SPOKEN = re.compile(r'\b(?:aria-label|title|placeholder|alt|data-label)="([^"]*)"')
_NAMES = re.compile(r"Nightsafe|NIGHT SAFE|UTC|holiday\.jpg|^\s*narrow\s*$", re.MULTILINE)
_LETTERS = re.compile(r"[A-Za-z]{2}")
Message = tuple[str, ...]  # as it is, or singular and plural
Catalogue = dict[Message, Message]  # to its translations, one for each form


def main() -> int:
    """Compile every catalogue; return the exit status."""
    wanted, is_whole = set(messages()), True
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        known = read(path.read_text(encoding="utf-8"))
        path.with_suffix(".mo").write_bytes(compiled(known))
        for word, found in (("missing", wanted - set(known)), ("left over", unused(known, wanted))):
            is_whole &= not found
            for message in sorted(found):
                print(f"{path.relative_to(BASE_DIR)}: {word}: {message[0]}")
    for template, texts in untranslated():
        is_whole = False
        print(f"{template}: not marked to be translated: {', '.join(texts)}")
    return 0 if is_whole else 1


def untranslated() -> Iterator[tuple[str, list[str]]]:
    """Yield customers' templates with words of their own that no language can replace."""
    for path in sorted([*TEMPLATES.rglob("*.html"), *TEMPLATES.rglob("*.txt")]):
        name = str(path.relative_to(TEMPLATES))
        if not name.startswith(FOR_OTHERS) and (texts := bare(path.read_text(encoding="utf-8"))):
            yield name, texts


def bare(source: str) -> list[str]:
    """Return the words of a template that stand outside of what is translated."""
    said = _SAID.sub(" ", source)
    words = [text for text in _SPOKEN.findall(said) if _LETTERS.search(_NAMES.sub("", text))]
    for text in _NAMES.sub("", _ELEMENT.sub("\n", _VERBATIM.sub(" ", said))).splitlines():
        if _LETTERS.search(text):
            words.append(" ".join(text.split()))
    return words


def unused(known: Catalogue, wanted: set[Message]) -> set[Message]:
    """Return what is translated and stands nowhere."""
    return set(known) - wanted - {("",)}


def messages() -> Iterator[Message]:
    """Yield all that is to be translated, of templates and modules."""
    for path in sorted([*TEMPLATES.rglob("*.html"), *TEMPLATES.rglob("*.txt")]):
        for found in _IN_TEMPLATES.finditer(templatize(path.read_text(encoding="utf-8"))):
            yield tuple(ast.literal_eval(text) for text in found.groups() if text)
    for package in PACKAGES:
        for path in sorted((BASE_DIR / package).rglob("*.py")):
            yield from _of_module(path.read_text(encoding="utf-8"))


def _of_module(source: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            texts = [part.value for part in node.args[:2] if isinstance(part, ast.Constant)]
            if texts and all(isinstance(text, str) for text in texts):
                yield tuple(map(str, texts))


def read(text: str) -> Catalogue:
    """Return what a catalogue in gettext's form (.po) says."""
    found: Catalogue = {}
    entry: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            _take(entry, found)
            entry = {}
        elif line.startswith('"'):
            entry[name] += ast.literal_eval(line)
        elif not line.startswith("#"):
            name, _, rest = line.partition(" ")
            entry[name] = ast.literal_eval(rest)
    return found


def _take(entry: dict[str, str], found: Catalogue) -> None:
    if "msgid" in entry:
        ids = tuple(entry[name] for name in ("msgid", "msgid_plural") if name in entry)
        found[ids] = tuple(text for name, text in entry.items() if name.startswith("msgstr"))


def compiled(catalogue: Catalogue) -> bytes:
    """Return a catalogue as `gettext` reads it (.mo); what has no translation is left out."""
    pairs = sorted(
        ("\0".join(ids).encode(), "\0".join(texts).encode())
        for ids, texts in catalogue.items()
        if all(texts)
    )
    count, offset = len(pairs), HEAD + 16 * len(pairs)
    tables, content = [b"", b""], b""
    for which in (0, 1):
        for pair in pairs:
            tables[which] += struct.pack("<II", len(pair[which]), offset + len(content))
            content += pair[which] + b"\0"
    head = struct.pack("<7I", MAGIC, REVISION, count, HEAD, HEAD + 8 * count, 0, HEAD + 16 * count)
    return head + tables[0] + tables[1] + content


if __name__ == "__main__":
    sys.exit(main())
