"""The page of pledges names tests that exist."""

import re

import pytest

from backup_service.env import BASE_DIR

PAGE = (BASE_DIR / "docs" / "pledges.md").read_text()
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
COMMANDS = sorted(set(re.findall(r"python -m (tests\.[\w.]+)", PAGE)))


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_every_test_is_there(path: str, name: str) -> None:
    assert f"def {name}(" in (BASE_DIR / path).read_text()


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_is_there(module: str) -> None:
    assert (BASE_DIR / f"{module.replace('.', '/')}.py").exists()


def test_they_are_many() -> None:
    assert len(TESTS) > 20
    assert len(COMMANDS) == 5
