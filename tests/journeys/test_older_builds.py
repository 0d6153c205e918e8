"""What an older build has left behind is good for today's: data directory, vault, agent's caches.

The archives hold a real ext4 image. It is mounted as the device that it was, so that today's agent
is told of it what the older one was told: device, inodes, times.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.interop.conftest import AGENT, PASSPHRASE, Restic, find_restic, portrait
from tests.journeys.conftest import StartService
from tests.journeys.test_faults import settle
from tests.support.disks import loop_device, mounted, require_root
from tests.support.gateway import Holder
from tests.support.interop.proxy import LossyProxy
from tests.support.journeys import older_builds
from tests.support.journeys.older_builds import Remains
from tests.support.programs import program

pytestmark = [pytest.mark.journey, pytest.mark.rehearsal]
BLOCK = 4096  # of the image's file system


class OlderAgent:
    """Today's agent, with the login and the caches of an older one."""

    def __init__(self, remains: Remains, disk: Path, port: int) -> None:
        self.home, self.disk = remains.home, disk
        login = self.home / "config" / "login.json"
        fields = json.loads(login.read_text())
        fields["repository"] = re.sub(r":\d+/", f":{port}/", fields["repository"])
        login.write_text(json.dumps(fields))

    def run(self, *arguments: str) -> str:
        """Run the agent where the image is mounted at its old place; return what it says."""
        script = f'mount --bind "{self.disk}" {older_builds.PLACE} && exec "$@"'
        within = [program("unshare"), "-m", "--propagation", "private", "sh", "-c", script, "sh"]
        done = subprocess.run(
            [*within, str(AGENT), *arguments],
            env={
                **{name: text for name, text in os.environ.items() if "NIGHTSAFE_" not in name},
                "TZ": older_builds.ZONE,
                "NIGHTSAFE_PASSWORD": PASSPHRASE,
                "NIGHTSAFE_CONFIG_DIR": str(self.home / "config"),
                "NIGHTSAFE_CACHE_DIR": str(self.home / "cache"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def back_up(self) -> dict[str, int | str]:
        """Back up as the older one did, and return the summary; nothing may be amiss."""
        *events, summary = map(json.loads, self.run(*older_builds.BACKUP).splitlines())
        assert not [one for one in events if one.get("event") != "progress"]
        return summary

    def restored(self, snapshot: str, target: Path) -> dict[bytes, tuple[object, ...]]:
        """Restore a snapshot, and return all that came back."""
        self.run("restore", snapshot, "--target", str(target))
        return portrait(target / older_builds.SOURCE.lstrip("/"))


def overwrite(image: Path, content: bytes) -> None:
    """Change a file in an unmounted image, of which no size, time or inode tells."""
    raw, block = image.read_bytes(), content[:BLOCK]
    assert raw.count(block) == 2  # the source's, and that of what it was before
    image.write_bytes(raw.replace(block, bytes(BLOCK)))


def listening(port: int, asked: list[str]) -> LossyProxy:
    """Return a proxy that loses nothing, and adds to `asked` each request that it passes on."""

    def loses(line: str) -> bool:
        asked.append(line)
        return False

    return LossyProxy(port, loses)


def fetched(asked: list[str]) -> list[str]:
    """Return the requests for stored objects so far, and forget all."""
    found = [line for line in asked if re.match(r"GET \S+/(?:index|data|snapshots)/\w", line)]
    asked.clear()
    return found


@pytest.mark.parametrize("commit", older_builds.COMMITS)
def test_what_an_older_build_left(own_service: StartService, tmp_path: Path, commit: str) -> None:
    require_root("only root can mount the disk that was backed up")
    remains = older_builds.unpack(commit, tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(remains.image, disk):
        pictures = [portrait(disk / name) for name in (older_builds.BEFORE, "papers")]
        unchanged = disk / "papers" / "letters" / "older" / older_builds.UNCHANGED
        content = unchanged.read_bytes()
    overwrite(remains.image, content)

    service = own_service()
    shutil.move(remains.data_dir, service.data_dir)
    service.start()
    port = urlsplit(service.gateway_url).port
    asked: list[str] = []
    assert port is not None
    with (
        loop_device(older_builds.device_number(commit)) as device,
        mounted(remains.image, disk, device=device),
        listening(port, asked) as witness,
    ):
        assert unchanged.read_bytes() != content
        agent = OlderAgent(remains, disk, witness.port)
        idle = agent.back_up()
        assert (idle["files_new"], idle["files_changed"]) == (0, 0)
        assert not fetched(asked)  # the caches are believed
        (disk / "papers" / "since").write_text("only in the newest snapshot\n")
        newest = agent.back_up()
        assert (newest["files_new"], newest["files_changed"]) == (1, 0)
        for number, snapshot in enumerate(remains.snapshots):
            assert agent.restored(snapshot, tmp_path / f"old-{number}") == pictures[number]
        last = agent.restored(str(newest["snapshot_id"]), tmp_path / "new")
        # What stat calls unchanged was not read again, or it would be what it is on the disk now.
        assert last.pop(b"since")[4] == b"only in the newest snapshot\n"
        assert last == pictures[1]
        shutil.rmtree(remains.home / "cache")
        fetched(asked)
        agent.back_up()
        assert fetched(asked)  # without them the parent is

    settle(service)
    holder = Holder(port, remains.vault, remains.username, remains.secret)
    Restic(find_restic(), holder, tmp_path / "restic-cache").run("check", "--read-data")
    scrubbed = service.manage("scrub", "--all", "--json")
    assert scrubbed["damaged"] == scrubbed["unreachable"] == 0
    assert service.manage("reconcile", "--json")["complete"]
