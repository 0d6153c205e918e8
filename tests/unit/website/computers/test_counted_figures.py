"""Pages read what was counted beforehand, in a fixed number of queries, and never count rows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storage.models import ObjectCount, Region, Vault
from storage.object_names import ObjectType
from storage.vault_status.overview import copies_by_region
from storage.vault_status.vault_statistics import figures_of
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import back_up, deposit

pytestmark = pytest.mark.django_db
ROWS = ('"storage_storedobject"', '"storage_replica"')


def require_no_rows(captured: CaptureQueriesContext) -> int:
    """Require that no object and no replica was read; return the number of queries."""
    read = [one["sql"] for one in captured if any(table in one["sql"] for table in ROWS)]
    assert read == []
    return len(captured)


def many_vaults(laptop: Enrolled, count: int = 1000) -> list[Vault]:
    """Vaults beside Alice's, with counts as if each had been backed up to."""
    account = laptop.vault.account
    made = Vault.objects.bulk_create(Vault(account=account, name=f"v{n}") for n in range(count))
    first, second = Region.objects.order_by("pk").values_list("pk", flat=True)[:2]
    ObjectCount.objects.bulk_create(
        ObjectCount(vault=vault, state=state, copies=copies, objects_held=5, snapshots=1, bytes=900)
        for vault in made
        for state, copies in (
            ("live", f"{first}s {second}s"),
            ("live", f"{first}s {second}p2993400!"),
            ("tombstoned", f"{first}s {second}s"),
            ("purging", ""),
        )
    )
    return made


def test_figures_of_a_thousand_vaults_take_two_queries(laptop: Enrolled) -> None:
    vaults = many_vaults(laptop)
    with CaptureQueriesContext(connection) as captured:
        figures = figures_of(vaults)
    assert require_no_rows(captured) == 2
    one = figures[vaults[-1].pk]
    assert (one.objects, one.snapshots, one.bytes, one.kept_bytes) == (10, 2, 1800, 900)
    assert (one.thin, one.fewest_copies, one.waiting, one.parked) == (5, 1, 5, 5)


def test_a_region_that_goes_offline_has_no_good_copies(laptop: Enrolled) -> None:
    (vault,) = many_vaults(laptop, 1)
    Region.objects.order_by("pk").filter(alias="b").update(status="offline")
    one = figures_of([vault])[vault.pk]
    assert (one.thin, one.fewest_copies) == (10, 1)


def test_the_dashboard_reads_no_objects(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    with CaptureQueriesContext(connection) as captured:
        assert alice.get("/dashboard/").status_code == 200
    require_no_rows(captured)


def test_copies_by_region_are_counted_beforehand(laptop: Enrolled) -> None:
    back_up(laptop)
    deposit(laptop, ObjectType.DATA, size=5000)
    with CaptureQueriesContext(connection) as captured:
        first, second = copies_by_region(laptop.vault)
    assert require_no_rows(captured) == 2
    assert (first.stored, first.bytes, first.waiting) == (4, 8000, 0)
    assert (second.stored, second.bytes, second.waiting, second.damaged) == (3, 3000, 1, 0)


def test_the_page_of_regions_reads_no_replicas(sam: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    with CaptureQueriesContext(connection) as few:
        assert sam.get("/admin/storage/region/").status_code == 200
    many_vaults(laptop)
    with CaptureQueriesContext(connection) as many:
        page = text(sam.get("/admin/storage/region/"))
    assert require_no_rows(many) == require_no_rows(few) <= 25
    assert "15003" in page  # replicas in the first region: whatever state their objects are in
    assert "5000" in page  # parked
