"""`python -m tools.messages`: compiles translations, and says which are missing or left over.

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
MODULES = (
    "accounts/templatetags/amounts.py",
    "backup_service/pages/status.py",
    "storage/models/regions.py",
    "storage/vault_status/protection.py",
    "storage/vault_status/summary.py",
    "storage/website/computer_table.py",
    "storage/website/dashboard.py",
    "storage/website/happenings.py",
)
CALLS = {"_", "gettext", "gettext_noop", "ngettext"}
MAGIC, REVISION, HEAD = 0x950412DE, 0, 28  # the head has seven numbers of four bytes
_CALL = r"""\b(?:_|n?gettext)\(\s*({text})(?:\s*,\s*({text}))?"""
_IN_TEMPLATES = re.compile(
    _CALL.format(text=r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""), re.DOTALL
)
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
    return 0 if is_whole else 1


def unused(known: Catalogue, wanted: set[Message]) -> set[Message]:
    """Return what is translated and stands nowhere."""
    return set(known) - wanted - {("",)}


def messages() -> Iterator[Message]:
    """Yield all that is to be translated, of templates and modules."""
    for path in sorted(TEMPLATES.rglob("*.html")):
        for found in _IN_TEMPLATES.finditer(templatize(path.read_text(encoding="utf-8"))):
            yield tuple(ast.literal_eval(text) for text in found.groups() if text)
    for name in MODULES:
        yield from _of_module((BASE_DIR / name).read_text(encoding="utf-8"))


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
