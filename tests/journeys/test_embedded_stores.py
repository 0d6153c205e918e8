"""The whole service on two real stores: a store that dies or moves loses nothing."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.journeys.service import Service, processes
from tests.support.stores.seaweedfs import require_weed
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.rehearsal]


def region_figures(service: Service) -> list[dict[str, object]]:
    return service.manage("region", "status", "--json")["regions"]


def store_of(service: Service, alias: str) -> int:
    """Return the process of one store."""
    folder = service.data_dir / "stores" / alias
    return next(
        pid for pid, _, words in processes() if "\0mini\0" in words and f"-dir={folder}\0" in words
    )


def test_stores_that_die_or_move_come_back_with_everything(tmp_path: Path) -> None:
    require_weed()
    service = Service(tmp_path / "data", REGIONS="s3")
    try:
        service.start()
        assert all(one["reachable"] for one in region_figures(service))
        os.kill(store_of(service, "a"), signal.SIGKILL)
        wait_until(lambda: "store-a was ended by SIGKILL" in service.output, 20)
        wait_until(lambda: all(one["reachable"] for one in region_figures(service)), 40)
        service.stop()
        _move_stores(service.data_dir)
        service.start()
        assert all(one["reachable"] for one in region_figures(service))
    finally:
        service.close()
    assert not [words for _, _, words in processes() if str(service.data_dir) in words]


def _move_stores(data_dir: Path) -> None:
    """Forget the stores' ports, so that the next start finds them other ones."""
    path = data_dir / "service.env"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("NIGHTSAFE_REGIONS=")]
    assert len(kept) == len(lines) - 1
    path.write_text("\n".join(kept) + "\n")
