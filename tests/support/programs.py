"""What tests want of a computer besides Python's packages."""

import os
import shutil
from typing import NoReturn

import pytest


def leave_out(reason: str) -> NoReturn:
    """Skip the test for want of something, with the reason; fail in CI, which has to have it."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI must not leave this test out")
    pytest.skip(reason)


def program(name: str) -> str:
    """Return a program's path. Where it is missing, CI fails and others skip, with the reason."""
    path = shutil.which(name)
    if path is None:
        leave_out(f"{name} is not installed")
    return path
