"""docs/dependencies.md names every direct dependency, with the version that is locked."""

import re
import tomllib
from collections.abc import Iterator

from backup_service.env import BASE_DIR


def direct() -> Iterator[str]:
    for path in ("pyproject.toml", "agent/pyproject.toml"):
        project = tomllib.loads((BASE_DIR / path).read_text())["project"]
        groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
        for requirement in (one for group in groups for one in group):
            found = re.match(r"[A-Za-z0-9_.-]+", requirement)
            assert found is not None
            yield found[0].lower()


def test_every_direct_dependency_is_explained_with_its_locked_version() -> None:
    table = {}
    for line in (BASE_DIR / "docs" / "dependencies.md").read_text().splitlines():
        if found := re.match(r"\| `([^`[]+)(?:\[[^]]*\])?` \|.*\| ([^ |,]+),", line):
            table[found[1]] = found[2]
    locks = (BASE_DIR / "requirements" / "all.txt").read_text()
    locked = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", locks, re.MULTILINE))
    assert table == {name: locked[name] for name in direct()}
