"""A vault with a story: two backups, and somebody who removes everything."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from backup_service import clock
from storage.models import StoredObject, Vault
from storage.replication.replicator import replicate_due
from tests.unit.storage.conftest import Caller, caller, sha, some

Names = dict[str, list[str]]


@dataclass
class Story:
    """What a vault held at a moment, and who emptied it afterwards."""

    vault: Vault
    keeper: Caller
    thief: Caller
    contents: dict[str, bytes]
    moment: datetime

    def empty(self) -> None:
        """Remove everything as restic does: snapshots, index, then packs."""
        for kind in ("snapshots", "index", "data"):
            for name in self.thief.names(kind):
                self.thief.delete(f"{kind}/{name}")

    def names(self) -> Names:
        return {kind: sorted(self.keeper.names(kind)) for kind in ("snapshots", "index", "data")}

    def require_whole(self) -> None:
        """See that everything is there again, bit for bit."""
        for path, content in self.contents.items():
            assert self.keeper.fetch(path) == content

    def removed(self) -> int:
        return StoredObject.objects.removed().filter(vault=self.vault).count()


def back_up(keeper: Caller, contents: dict[str, bytes]) -> str:
    """Store two packs, an index and a snapshot; return the snapshot's name."""
    for kind in ("data", "data", "index", "snapshots"):
        content = some(5000)
        keeper.put(content, kind)
        contents[f"{kind}/{sha(content)}"] = content
    return sha(content)


@pytest.fixture
def story(setup: Caller, vault: Vault) -> Story:
    contents: dict[str, bytes] = {}
    for path, content in (("config", some(100)), ("keys", some(100))):
        where = path if path == "config" else f"{path}/{sha(content)}"
        setup.post(where, content)
        contents[where] = content
    back_up(setup, contents)
    back_up(setup, contents)
    replicate_due()
    moment = clock.database_now() + timedelta(microseconds=1)
    return Story(vault, setup, caller(vault, "maintain"), contents, moment)
