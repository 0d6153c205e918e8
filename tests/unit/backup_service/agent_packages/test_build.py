"""What the build leaves, tried as a customer would: installed from the service and nowhere else."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from django.urls import reverse
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from backup_service.agent_packages import catalogue
from backup_service.env import BASE_DIR
from tests.support.programs import leave_out

BUILT = BASE_DIR / "packages"
NOWHERE = "http://127.0.0.1:1"  # for whatever would leave this computer


@pytest.fixture
def built() -> Path:
    if not (BUILT / catalogue.LIST).exists():
        leave_out("no packages are here (make packages)")
    return BUILT


def test_what_installers_want_is_locked_and_agrees() -> None:
    """pipx brings its own pip up to date from the index that it is given, before all else."""
    lock = (BASE_DIR / "requirements/installers.txt").read_text()
    pinned = dict(re.findall(r"^([a-z]+)==(\S+)", lock, re.MULTILINE))
    assert set(pinned) == {"pip", "setuptools"}
    everything = (BASE_DIR / "requirements/all.txt").read_text()
    assert f"setuptools=={pinned['setuptools']} " in everything


def test_the_index_has_what_installers_want(built: Path) -> None:
    assert {"pip", "setuptools", "nightsafe", "cryptography"} <= set(catalogue.read(built).projects)


def test_a_folder_without_a_list_is_empty(tmp_path: Path) -> None:
    (tmp_path / "nightsafe-0.1.0.tar.gz").write_bytes(b"half of it")
    assert catalogue.read(tmp_path).packages == ()


def test_the_source_is_whole_and_holds_nothing_else(built: Path) -> None:
    source = catalogue.read(built).source
    assert source is not None
    with tarfile.open(built / source.file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    headers = {f"csrc/include/{path.name}" for path in (BASE_DIR / "agent/csrc/include").glob("*")}
    assert headers < names
    assert {"LICENSE", "setup.py", "src/nightsafe/cli/__init__.py"} <= names
    assert not [name for name in names if name.endswith((".so", ".pyc")) or "/build/" in name]


@pytest.mark.parametrize("way", ["wheel", "source"])
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_it_installs_with_no_other_host(
    built: Path, tmp_path: Path, live_server: LiveServer, settings: Settings, way: str
) -> None:
    """As the download page says, in a fresh environment, from the index that the site serves."""
    settings.PACKAGES_DIR = built
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", str(fresh)], check=True)
    alone = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INPUT": "1",
        "http_proxy": NOWHERE,
        "https_proxy": NOWHERE,
        "no_proxy": "127.0.0.1,localhost",
    }
    index = f"--index-url={live_server.url}{reverse('download_index')}"  # of the site under test
    options = ["--no-binary=nightsafe"] if way == "source" else ["--only-binary=:all:"]
    done = subprocess.run(
        [fresh / "bin/python", "-m", "pip", "install", index, *options, "nightsafe"],
        env=alone,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = subprocess.run(
        [fresh / "bin/nightsafe", "--version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert said.stdout == "nightsafe 0.1.0\n"
