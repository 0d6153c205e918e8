"""Where bytes go: the rules by themselves, and as uploads follow them."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts import actions
from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent
from storage.models import Region, Vault
from storage.objects import placement
from storage.objects.placement import Candidate, further, reachable_replicas, upload_order
from storage.stores.configuration import ConfigurationError, parse, traits_in
from storage.stores.registry import prepare_new, sync_rows
from storage.stores.traits import Traits
from tests.support.storage.replicas import states
from tests.unit.storage.conftest import Caller, some

A = Candidate(region=1, priority=0, failure_domain="a", continent="europe")
B = Candidate(region=2, priority=1, failure_domain="b", continent="asia")
C = Candidate(region=3, priority=2, failure_domain="c", continent="asia")


def change(candidate: Candidate, **fields: Any) -> Candidate:
    return dataclasses.replace(candidate, **fields)


def numbers(candidates: Iterable[Candidate]) -> list[int]:
    return [candidate.region for candidate in candidates]


# --- the rules


def test_uploads_go_home_first_and_then_by_priority() -> None:
    assert numbers(upload_order([C, B, A])) == [1, 2, 3]
    assert numbers(upload_order([A, B, C], "asia")) == [2, 3, 1]
    assert numbers(upload_order([A, B, C], "oceania")) == [1, 2, 3]


def test_failing_regions_are_asked_late_and_full_ones_last() -> None:
    candidates = [change(A, is_full=True), change(B, is_away=True), C]
    assert numbers(upload_order(candidates, "europe")) == [3, 2, 1]


def test_regions_that_take_nothing_are_not_asked() -> None:
    assert numbers(upload_order([change(A, takes=False), B])) == [2]


def test_copies_go_to_other_failure_domains_only() -> None:
    twin = change(B, failure_domain="a")
    assert numbers(further([A, twin, C], holding={1}, copies=2)) == [3]
    assert further([A, twin], holding={1}, copies=2) == []
    assert numbers(further([A, B, C], holding={1}, copies=3)) == [2, 3]
    assert numbers(further([A, B, C], holding={1, 3}, copies=3)) == [2]
    assert further([A, B, C], holding={1, 2}, copies=2) == []


def test_copies_stay_on_the_continent_where_that_can_be() -> None:
    candidates = [A, B, C, change(A, region=4, failure_domain="d", priority=9)]
    assert numbers(further(candidates, holding={1}, copies=2, continent="europe")) == [4]
    assert numbers(further(candidates, holding={1}, copies=3, continent="europe")) == [4, 2]


def test_full_regions_get_no_replicas() -> None:
    assert numbers(further([A, change(B, is_full=True), C], holding={1}, copies=3)) == [3]


def test_what_lies_in_a_region_that_is_to_go_does_not_count() -> None:
    leaving = change(A, takes=False, counts=False)
    assert numbers(further([leaving, B, C], holding={1}, copies=2)) == [2, 3]
    assert reachable_replicas([leaving, B, C, change(C, region=4)]) == 2


SITES = st.lists(
    st.builds(
        Candidate,
        region=st.integers(1, 50),
        priority=st.integers(0, 3),
        failure_domain=st.sampled_from("abcd"),
        continent=st.sampled_from(["", "asia", "europe"]),
        takes=st.booleans(),
        counts=st.booleans(),
        is_full=st.booleans(),
        is_away=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda candidate: candidate.region,
)


@given(SITES, st.integers(1, 4), st.data())
def test_no_failure_domain_gets_two_replicas(
    candidates: list[Candidate], copies: int, data: st.DataObject
) -> None:
    holding = [
        candidate for candidate in candidates if candidate.counts and data.draw(st.booleans())
    ]
    chosen = further(
        candidates, holding={s.region for s in holding}, copies=copies, continent="asia"
    )
    domains = [candidate.failure_domain for candidate in chosen]
    assert len(set(domains)) == len(domains)
    assert not set(domains) & {candidate.failure_domain for candidate in holding}
    assert all(candidate.takes and not candidate.is_full for candidate in chosen)
    held_domains = {candidate.failure_domain for candidate in holding}
    usable = {
        s.failure_domain for s in candidates if s.takes and not s.is_full and s not in holding
    }
    assert len(chosen) == max(0, min(copies - len(held_domains), len(usable - held_domains)))


# --- what the environment says


def test_traits_of_any_kind_of_region() -> None:
    options = {"CONTINENT": "north-america", "FAILURE_DOMAIN": "rack.7", "CAPACITY": "1.5TB"}
    parse("a", "/disk1", options)
    assert traits_in("a", options) == Traits("rack.7", "north-america", 1_500_000_000_000)
    assert traits_in("a", {}) == Traits("a")
    assert traits_in("a", {"CAPACITY": "2 GiB"}).capacity == 2 * 1024**3
    assert traits_in("a", {"CAPACITY": "4096"}).capacity == 4096


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"CONTINENT": "atlantis"}, "NIGHTSAFE_REGION_EU_1_CONTINENT is one of africa"),
        ({"FAILURE_DOMAIN": "two words"}, "NIGHTSAFE_REGION_EU_1_FAILURE_DOMAIN is a name"),
        ({"CAPACITY": "lots"}, "NIGHTSAFE_REGION_EU_1_CAPACITY is a number"),
        ({"CAPACITY": "0"}, "CAPACITY is a number of bytes above 0"),
        ({"CAPACITY": "-1GB"}, "CAPACITY is a number"),
    ],
)
def test_nonsense_is_told(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse("eu-1", "/disk1", options)


# --- as uploads follow it


@pytest.fixture
def three(settings: Settings, tmp_path: Path, db: None) -> list[Region]:
    """A region in Europe and two in Asia, each by itself."""
    settings.REGIONS = {alias: str(tmp_path / f"region-{alias}") for alias in "abc"}
    settings.REGION_OPTIONS = {
        "A_CONTINENT": "europe",
        "B_CONTINENT": "asia",
        "C_CONTINENT": "asia",
    }
    sync_rows()
    prepare_new(SERVICE)
    return list(Region.objects.order_by("priority"))


@pytest.mark.django_db
def test_the_accounts_continent_is_home(three: list[Region], backup: Caller, vault: Vault) -> None:
    assert placement.continents_on_offer() == ["europe", "asia"]
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"a": "stored", "b": "pending"}
    assert actions.choose_continent(vault.account, continent="asia", actor=SERVICE)
    assert not actions.choose_continent(vault.account, continent="asia", actor=SERVICE)
    assert AuditEvent.objects.filter(verb="account.continent").count() == 1
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"b": "stored", "c": "pending"}


@pytest.mark.django_db
def test_nobody_chooses_a_continent_that_is_none(account: Account) -> None:
    with pytest.raises(ValueError, match="atlantis"):
        actions.choose_continent(account, continent="atlantis", actor=SERVICE)


@pytest.mark.django_db
def test_one_failure_domain_gets_one_replica(
    three: list[Region], settings: Settings, backup: Caller
) -> None:
    settings.REGION_OPTIONS = {"A_FAILURE_DOMAIN": "hall", "B_FAILURE_DOMAIN": "hall"}
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"a": "stored", "c": "pending"}


@pytest.mark.django_db
def test_a_full_region_is_passed_over(three: list[Region], backup: Caller) -> None:
    Region.objects.filter(alias="a").update(full_since="2026-01-01T00:00Z")
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"b": "stored", "c": "pending"}


@pytest.mark.django_db
def test_an_offline_region_is_not_read_and_its_replica_does_not_count(
    regions: list[Region], backup: Caller
) -> None:
    content = some()
    backup.put(content)
    Region.objects.filter(alias="a").update(status="offline")
    assert backup.get(f"data/{backup.stored_object(content).name}").status_code == 503
    assert backup.put(content).status_code == 200
    assert states(backup.stored_object(content)) == {"a": "stored", "b": "stored"}
    assert backup.fetch(f"data/{backup.stored_object(content).name}") == content
