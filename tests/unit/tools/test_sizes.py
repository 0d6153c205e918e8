"""What has grown too large is said, and what may be large is not."""

from pathlib import Path

import pytest

from backup_service.env import BASE_DIR
from tools.sizes import MOST_FILES, MOST_LINES, MOST_OF_CLASS, MOST_OF_FUNCTION, findings

SET = "setattr"  # this file is read by the tool as well


def method(lines: int, name: str = "work") -> str:
    return f"def {name}():\n" + "    pass\n" * (lines - 1)


def write(top: Path, name: str, text: str) -> None:
    (top / name).parent.mkdir(parents=True, exist_ok=True)
    (top / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("storage/a.py", "pass\n" * (MOST_LINES + 1), "storage/a.py: 401 lines; split it"),
        ("agent/csrc/a.c", ";\n" * (MOST_LINES + 1), "agent/csrc/a.c: 401 lines; split it"),
        ("storage/a.py", method(MOST_OF_FUNCTION + 1), "storage/a.py:1: work has 41 lines"),
        ("tests/a.py", "class A:\n" + "    x = 1\n" * MOST_OF_CLASS, "A has 251 lines"),
        ("storage/queue.py", "", "the standard library has a module queue; call it otherwise"),
        (
            "tests/a.py",
            f'p.{SET}(one.two, "_size", 3)',
            "tests/a.py:1: this changes a private name",
        ),
        (
            "tests/a.py",
            f'\n{SET}(\n    "a.b._SIZE", 3)',
            "tests/a.py:2: this changes a private name",
        ),
    ],
)
def test_what_is_too_large_is_said(tmp_path: Path, name: str, text: str, said: str) -> None:
    write(tmp_path, name, text)
    (found,) = findings(tmp_path)
    assert said in found


def test_a_folder_with_too_many_modules_is_said(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 1):
        write(tmp_path, f"storage/things/thing_{number}.py", "")
    assert list(findings(tmp_path)) == [
        "storage/things/: 16 modules; make packages of them before 15."
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("storage/a.py", "pass\n" * MOST_LINES),
        ("storage/a.py", method(MOST_OF_FUNCTION)),
        ("storage/a.py", method(200, "add_parser")),
        ("tests/test_a.py", method(200)),
        ("tests/queue.py", ""),
        ("storage/migrations/0001_initial.py", "pass\n" * 1000),
    ],
)
def test_what_may_be_is_not_said(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, name, text)
    assert list(findings(tmp_path)) == []


def test_nothing_here_is_too_large() -> None:
    assert list(findings(BASE_DIR)) == []
