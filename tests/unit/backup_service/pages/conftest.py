"""The cast of the website's tests, and packages to download."""

import hashlib
from pathlib import Path

import pytest
from pytest_django import Settings

from backup_service.agent_packages import catalogue
from backup_service.agent_packages.catalogue import Package
from tests.unit.website.conftest import (  # noqa: F401
    _fresh,
    account,
    alice,
    bob,
    charlie,
    client,
    laptop,
    sam,
)


@pytest.fixture
def packages(settings: Settings) -> list[Package]:
    """A folder as a build leaves it, with the agent for one system and something it needs."""
    folder = Path(settings.PACKAGES_DIR)
    folder.mkdir()
    made = [
        package(folder, "nightsafe-0.1.0-cp311-cp311-linux_x86_64.whl", requires=">=3.11"),
        package(folder, "nightsafe-0.1.0.tar.gz", requires=">=3.11"),
        package(folder, "urllib3-2.8.0-py3-none-any.whl", project="urllib3"),
    ]
    catalogue.write(folder, made)
    return made


def package(folder: Path, file: str, *, project: str = "nightsafe", requires: str = "") -> Package:
    content = file.encode()
    (folder / file).write_bytes(content)
    return Package(
        file=file,
        project=project,
        version="0.1.0",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        requires_python=requires,
    )
