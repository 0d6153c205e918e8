"""Hypothesis draws anew in every run, in CI too, and fails no test for being slow."""

import os
import subprocess
import sys

import pytest

from backup_service.env import BASE_DIR

CODE = """
import django
django.setup()
import tests.conftest
from hypothesis import settings
print(settings.default.derandomize, settings.default.deadline)
"""


@pytest.mark.parametrize("extra", [{}, {"CI": "true"}], ids=["elsewhere", "in CI"])
def test_how_it_is_set(extra: dict[str, str]) -> None:
    kept = {name: text for name, text in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=BASE_DIR,
        env=kept | {"DJANGO_SETTINGS_MODULE": "tests.settings"} | extra,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["False", "None"], done.stderr
