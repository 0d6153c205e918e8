"""The figures about read-backs, which look at no more than the first entries of an index."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backup_service import clock
from storage.deletion import sweep
from storage.models import Region, Replica
from storage.monitoring.figures import figures
from storage.monitoring.rules import RegionFigures
from storage.replication.replicator import replicate_due
from tests.unit.storage.conftest import Caller, some

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_service")]
HOUR = timedelta(hours=1)
EXPLAIN = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}


@pytest.fixture
def now(backup: Caller) -> datetime:
    """When three objects have been in region a for one, two and three hours, and in b as well."""
    for _ in range(3):
        backup.put(some())
    replicate_due()
    moment = clock.now()
    for alias in "ab":
        pks = (
            Replica.objects.filter(region__alias=alias).order_by("pk").values_list("pk", flat=True)
        )
        for hours, pk in enumerate(pks, start=1):
            Replica.objects.filter(pk=pk).update(
                stored_at=moment - 10 * HOUR - hours * HOUR, verified_at=moment - hours * HOUR
            )
    return moment


def of_region(alias: str, now: datetime) -> RegionFigures:
    (found,) = [one for one in figures(now).regions if one.alias == alias]
    return found


def ages(alias: str, now: datetime) -> tuple[float, float]:
    """Return in hours how old the oldest unverified replica and the oldest read-back are."""
    found = of_region(alias, now)
    return found.unread_age / 3600, found.scrub_age / 3600


def in_a() -> list[Replica]:
    return list(Replica.objects.filter(region__alias="a").order_by("pk"))


def test_all_are_verified(now: datetime) -> None:
    count = Replica.objects.filter(region__alias="a").count()
    assert ages("a", now) == (0, count)


def test_some_were_never_read_back(now: datetime) -> None:
    first, *_, last = in_a()
    Replica.objects.filter(pk__in=[first.pk, last.pk]).update(verified_at=None)
    count = len(in_a())
    assert ages("a", now) == (10 + count, count - 1)
    assert ages("b", now) == (0, Replica.objects.filter(region__alias="b").count())


def test_what_was_read_in_an_earlier_life_of_the_region_does_not_count(now: datetime) -> None:
    Region.objects.filter(alias="a").update(trusted_from=now - 1.5 * HOUR)
    count = len(in_a())
    assert ages("a", now) == (10 + count, 1)


def test_replicas_that_are_not_there_do_not_count(now: datetime) -> None:
    Replica.objects.filter(pk=in_a()[-1].pk).update(state=Replica.State.MISSING)
    assert ages("a", now) == (0, len(in_a()) - 1)


def test_no_table_is_gone_through(now: datetime) -> None:
    with CaptureQueriesContext(connection) as seen:
        figures(now)
    (read_back,) = [one["sql"] for one in seen if "verified_at" in one["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # would rather read tables this small
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{EXPLAIN[connection.vendor]} {read_back}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert plan.count("replica_verified") >= 3
    assert "attempt_due" in sweep.due(now).explain()
