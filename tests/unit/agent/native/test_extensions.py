"""Every extension is there where everything must hold, and no way of the agent needs one."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nightsafe.repository.repository import Repository

from backup_service.env import BASE_DIR
from tests.support.agent.extensions import NAMES
from tests.unit.agent.conftest import PASSPHRASE

SOURCES = BASE_DIR / "agent" / "csrc"
ALL_C = [
    *sorted(SOURCES.rglob("*.[ch]")),
    *sorted((BASE_DIR / "native" / "src").rglob("*.c")),
]
FUNCTION = re.compile(r"^(?!__attribute__)([a-z_]\w*)\(", re.MULTILINE)
MISSING = """
import importlib, pkgutil, sys
*missing, source, target = sys.argv[1:]
sys.modules.update(dict.fromkeys(missing))  # to import what is None fails

import nightsafe
from nightsafe.cli import main

for module in pkgutil.walk_packages(nightsafe.__path__, "nightsafe."):
    if not module.name.startswith("nightsafe._"):
        importlib.import_module(module.name)
assert main(["backup", source]) == 0
assert main(["restore", "latest", "--target", target]) == 0
assert not any(map(sys.modules.get, missing))
"""


def test_all_sources_are_named() -> None:
    assert sorted(NAMES) == sorted(path.stem for path in SOURCES.glob("*.c"))


@pytest.mark.parametrize("path", ALL_C, ids=lambda path: path.name)
def test_functions_are_named_after_their_file(path: Path) -> None:
    """So that a name in a stack trace or a profile says where it is from."""
    prefix = path.stem.strip("_") + "_"
    functions = FUNCTION.findall(path.read_text())
    assert [name for name in functions if not name.startswith(prefix)] == []


@pytest.mark.parametrize("name", NAMES)
def test_in_ci_the_extension_is_built(name: str) -> None:
    if "CI" not in os.environ:
        # The agent works without, so a developer without a compiler is not held up.
        pytest.skip("without CI=true an extension may be missing, for want of a compiler")
    try:
        importlib.import_module(f"nightsafe._native.{name}")
    except ImportError as error:
        if "This processor" not in str(error):
            raise
        pytest.skip(str(error))  # built, but of no use on this processor


@pytest.mark.parametrize("missing", [*((name,) for name in NAMES), NAMES], ids="+".join)
def test_without_the_extension_python_does_it(
    repository: Repository, source: Path, tmp_path: Path, missing: tuple[str, ...]
) -> None:
    modules = [f"nightsafe._native.{name}" for name in missing]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MISSING, *modules, source, tmp_path / "target"],
        env={
            **os.environ,
            "NIGHTSAFE_REPOSITORY": repository.storage.location,
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    restored = Path(f"{tmp_path}/target{source}")
    assert (restored / "inner" / "two.txt").read_text() == "two\n"
