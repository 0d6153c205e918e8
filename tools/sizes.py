"""`python -m tools.sizes`: files, classes, functions and folders that have grown too large.

Also modules that are named like one of the standard library, and tests that change what is private
to a module. Each finding says what to do.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from backup_service.env import BASE_DIR

ROOTS = (
    *("accounts", "agent", "backup_service", "bench", "billing", "native"),
    *("storage", "tests", "tools"),
)
MOST_LINES, MOST_OF_CLASS, MOST_OF_FUNCTION, MOST_FILES = 400, 250, 40, 15
LONG = {  # functions that are one table, and why they may be long
    "add_common": "options that all commands have, one after the other",
    "add_parser": "options of a command, one after the other",
    "_region": "alarm rules of a region, one after the other",
}
LIBRARY = sys.stdlib_module_names
_PATCHED = re.compile(
    r"""setattr\(\s*(?:[\w.]+,\s*"_[a-z]\w*"|"(?:\w+\.)+_[a-z]\w*")""", re.IGNORECASE
)
NAMED_SO = {"__init__", "__main__", "signals", "types"}


def main() -> int:
    """Print what is too large; return the exit status."""
    found = list(findings(BASE_DIR))
    for finding in found:
        print(finding)
    return 1 if found else 0


def findings(top: Path) -> Iterator[str]:
    """Yield a sentence about everything below a checkout's `top` that is too large."""
    folders: Counter[Path] = Counter()
    for path in _sources(top):
        where = path.relative_to(top)
        lines = path.read_text().count("\n")
        if lines > MOST_LINES:
            yield f"{where}: {lines} lines; split it before {MOST_LINES}."
        if path.suffix != ".py":
            continue
        if path.stem != "__init__":
            folders[where.parent] += 1
        if _shadows(where):
            yield f"{where}: the standard library has a module {path.stem}; call it otherwise."
        yield from _long_parts(where, ast.parse(path.read_text()))
        if where.parts[0] == "tests":
            yield from _private_patches(where, path.read_text())
    for folder, count in sorted(folders.items()):
        if count > MOST_FILES:
            yield f"{folder}/: {count} modules; make packages of them before {MOST_FILES}."


def _shadows(where: Path) -> bool:
    """Return whether a module is named like one of the library, and need not be.

    Django takes the name of an operator's command from its file, and nobody imports that by itself.
    """
    if where.parts[0] == "tests" or where.parts[-3:-1] == ("management", "commands"):
        return False
    return where.stem in LIBRARY and not where.stem.startswith("_")


def _sources(top: Path) -> Iterator[Path]:
    for root in ROOTS:
        for path in sorted((top / root).rglob("*")):
            if path.suffix in {".py", ".c", ".h"} and "migrations" not in path.parts:
                yield path


def _long_parts(where: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or 0) - node.lineno + 1
        is_class = isinstance(node, ast.ClassDef)
        if not is_class and (where.parts[0] == "tests" or node.name in LONG):
            continue  # a journey has as many steps as it has
        most = MOST_OF_CLASS if is_class else MOST_OF_FUNCTION
        if lines > most:
            yield f"{where}:{node.lineno}: {node.name} has {lines} lines; split it before {most}."


def _private_patches(where: Path, text: str) -> Iterator[str]:
    for found in _PATCHED.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield f"{where}:{line}: this changes a private name; give tests a public way."


if __name__ == "__main__":
    sys.exit(main())
