"""The embedded service on a disk without a byte left: it starts, and restores."""

import os
import subprocess
from pathlib import Path

import pytest

from backup_service.embedded.reserve import PLENTY
from backup_service.env import BASE_DIR
from tests.gateway.test_bodies import sha
from tests.journeys.test_faults import enrol
from tests.support.disks import fill, small_disk
from tests.support.journeys.service import Service, launcher

pytestmark = pytest.mark.journey


def test_a_full_disk_stops_no_restore(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", PLENTY + (24 << 20)) as disk:
        service = Service(disk / "data").start()
        try:
            agent = enrol(service, tmp_path / "home")
            agent.init()
            source = tmp_path / "source"
            source.mkdir()
            (source / "letter").write_bytes(content := os.urandom(100_000))
            agent.run("backup", str(source))
            assert service.stop() == 0

            fill(disk)
            service.start()
            assert "Restores go on with the room that was kept back for them" in service.output
            agent.run("restore", "latest", "--target", str(tmp_path / "target"))
            assert (
                tmp_path / "target" / source.relative_to("/") / "letter"
            ).read_bytes() == content
            more = os.urandom(1_000_000)
            status, said = agent.holder.request("POST", f"data/{sha(more)}", more)
            assert (status, b"No region can take an upload" in said) == (503, True)
            assert service.stop() == 0
        finally:
            service.close()

        fill(disk)  # what was kept back as well
        done = subprocess.run(
            launcher("serve"), env=service.environment, cwd=BASE_DIR, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "is used up. Free at least 8 MiB there" in done.stderr
        assert "Traceback" not in done.stderr
