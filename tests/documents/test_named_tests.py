"""The pages that say what holds, and by which test, name tests that exist."""

import re

import pytest

from backup_service.env import BASE_DIR

PAGES = ("bad-input", "hard-cases", "restic-versions")
_NAMED = re.compile(r"`([\w/]+/\w+\.py)?((?:::\w+)*)`")


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    """A name without a file is of the file that the line named before it."""
    named, missing = 0, []
    for line in (BASE_DIR / "docs" / f"{page}.md").read_text().splitlines():
        file = ""
        for found in _NAMED.finditer(line):
            file = found[1] or file
            path = BASE_DIR / "tests" / file
            if not file or not (found[1] or found[2]):
                continue
            text = path.read_text() if path.is_file() else ""
            names = found[2].split("::")[1:]
            named += 1
            if not text or not all(re.search(rf"(def|class) {name}\b", text) for name in names):
                missing.append(found[0])
    assert named > 10
    assert missing == []
