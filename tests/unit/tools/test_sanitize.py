"""What the sanitizers are there for is found, as `tools.sanitize` sets them up."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import program
from tools import sanitize

SOURCE = """
#include <limits.h>
#include <stdlib.h>
int sound(int size) { char *held = calloc(size, 1); int is = held[0]; free(held); return is; }
int behind(int size) { char *held = calloc(size, 1); int is = held[size]; free(held); return is; }
int freed(int size) { char *held = calloc(size, 1); free(held); return held[0]; }
int undefined(int size) { return INT_MAX + size; }
int leak(int size) { return malloc(size) == NULL; }
"""
Run = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give the arguments of a Python that calls a function of a watched library."""
    program("gcc")
    folder = tmp_path_factory.mktemp("watched") / "nightsafe_native"
    folder.mkdir()
    (folder / "faulty.c").write_text(SOURCE)
    target = str(folder / "faulty.abi.so")
    options = ["-shared", "-fPIC", *sanitize.FLAGS, "-o", target]
    subprocess.run(["gcc", *options, str(folder / "faulty.c")], check=True)
    load = f"import ctypes, sys; it = ctypes.CDLL({target!r})"
    return lambda name: ["-c", f"{load}; sys.exit(it.{name}(10))"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("behind", "heap-buffer-overflow"),
        ("freed", "heap-use-after-free"),
        ("undefined", "signed integer overflow"),
    ],
)
def test_a_fault_ends_the_process(command: Run, tmp_path: Path, name: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, *command(name)],
        env=sanitize.environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stderr
    assert done.returncode != 0


def test_a_leak_is_found_and_nothing_else(command: Run, tmp_path: Path) -> None:
    assert sanitize.find_leaks(tmp_path, *command("sound")) == []
    (leak,) = sanitize.find_leaks(tmp_path, *command("leak"))
    assert "10 byte(s)" in leak
    assert "in leak" in leak


def test_a_process_that_fails_is_no_good_news(tmp_path: Path) -> None:
    (said,) = sanitize.find_leaks(tmp_path, "-c", "raise SystemExit('broken')")
    assert "broken" in said
