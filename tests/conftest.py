"""What every test may use. Paths are throw-away; regions are real directories."""

import gc
import os
import random
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pytest_django import Settings

from storage.models import Region
from storage.stores.registry import sync_rows
from tests.support.folders import FOLDERS

# Drawn anew in every run, in CI as well, where Hypothesis would draw the same each time. No test
# is gated on seconds, which a busy computer takes.
settings.register_profile(
    "house",
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

# A shell that starts the tests in the background has interrupts ignored, which programs started
# here would inherit; some are to hear them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Have what was imported never looked through again: a tenth of the database tests' time."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that its stage would not find, or that would leave the others in trouble."""
    for item in items:
        _require_restored(item)
        for kind, folders in FOLDERS.items():
            at_home = any(f"/tests/{folder}/" in item.path.as_posix() for folder in folders)
            if item.get_closest_marker(kind) and not at_home:
                raise pytest.UsageError(f"{item.nodeid} is marked `{kind}`: move it to {folders}")


def _require_restored(item: pytest.Item) -> None:
    """Refuse a test that commits and does not have what the migrations made put back.

    The rows that Django makes anew after it emptied the tables are then in the way of the next
    test that does.
    """
    marker = item.get_closest_marker("django_db")
    told = marker.kwargs if marker else {}
    commits = told.get("transaction") or "transactional_db" in getattr(item, "fixturenames", ())
    if commits and not told.get("serialized_rollback"):
        raise pytest.UsageError(
            f"{item.nodeid}: it commits, so mark it django_db(transaction=True, "
            "serialized_rollback=True)"
        )


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Draw at random, anew in every run; a failure shows the seed, which NIGHTSAFE_SEED repeats."""
    seed = os.environ.get("NIGHTSAFE_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"{request.node.name}: NIGHTSAFE_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(autouse=True)
def _own_data_directory(settings: Settings, tmp_path: Path) -> None:
    """Give the test regions, mail and everything else of its own, whatever runs beside it."""
    settings.SITE_URL = "http://127.0.0.1:8000"
    settings.GATEWAY_URL = "http://127.0.0.1:8001"
    settings.DATA_DIR = tmp_path
    settings.PACKAGES_DIR = tmp_path / "packages"
    settings.MAIL_DIR = tmp_path / "mail"
    settings.REGIONS = {"a": str(tmp_path / "region-a"), "b": str(tmp_path / "region-b")}
    settings.REGION_OPTIONS = {}


@pytest.fixture
def regions(db: None) -> list[Region]:
    """Two prepared regions, in the order in which uploads try them."""
    from accounts.audit import SERVICE
    from storage.stores.registry import prepare_new

    sync_rows()
    prepare_new(SERVICE)
    return list(Region.objects.order_by("priority"))
