"""Programs that tests want besides Python's packages."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """Return a program's path. Where it is missing, CI fails and others skip, with the reason."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and CI must not leave this test out")
    pytest.skip(f"{name} is not installed")
