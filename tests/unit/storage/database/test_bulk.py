"""Many rows at once: the same ones that Django itself would have written."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backup_service import clock
from storage.database import bulk
from storage.models import JournalEntry, Vault

pytestmark = pytest.mark.django_db
COUNT = 300  # more than one statement takes on SQLite


def written() -> list[dict[str, Any]]:
    found = [{**row} for row in JournalEntry.objects.order_by("sequence").values()]
    for row in found:
        del row["id"]
    return found


def test_rows_are_as_django_writes_them(vault: Vault) -> None:
    moments = [clock.now() for _ in range(COUNT)]
    JournalEntry.objects.bulk_create(
        JournalEntry(kind="purge", vault=vault, type="data", name="x", sequence=n, at=moments[n])
        for n in range(COUNT)
    )
    expected = written()
    JournalEntry.objects.all().delete()
    bulk.insert(
        JournalEntry,
        {"kind": JournalEntry.Kind.PURGE, "vault_id": vault.pk, "type": "data", "name": "x"},
        {"sequence": range(COUNT), "at": moments},
    )
    assert written() == expected


def test_rows_tell_what_the_database_gave_them(vault: Vault) -> None:
    same = {"kind": "purge", "vault_id": vault.pk, "type": "data", "name": "x"}
    numbers = range(COUNT, 2 * COUNT)
    told = bulk.insert(JournalEntry, same, {"sequence": numbers}, returning=["id", "sequence"])
    assert sorted(told) == sorted(JournalEntry.objects.values_list("id", "sequence"))
    assert {sequence for _, sequence in told} == set(numbers)
    assert bulk.insert(JournalEntry, same, {"sequence": [1]}) == []


def test_values_of_every_sort_are_as_the_database_takes_them(vault: Vault) -> None:
    """Names from an enumeration, numbers that are none, lists, and a moment that comes again."""
    now = clock.now()
    columns: dict[str, list[Any]] = {
        "kind": [JournalEntry.Kind.PURGE, "purge", "purge"],
        "sequence": [1, True, "3"],
        "at": [now, now, now + timedelta(seconds=1)],
        "attempts": [["a"], [], ["b", "c"]],
    }
    bulk.insert(JournalEntry, {"vault_id": vault.pk, "type": "data", "name": "x"}, columns)
    found = [(row["kind"], row["sequence"], row["at"], row["attempts"]) for row in written()]
    assert sorted(found) == [
        ("purge", 1, now, []),
        ("purge", 1, now, ["a"]),
        ("purge", 3, now + timedelta(seconds=1), ["b", "c"]),
    ]


def test_what_is_not_named_has_its_default(vault: Vault) -> None:
    before = clock.now()
    same = {"kind": "purge", "vault_id": vault.pk, "type": "data", "name": "x"}
    bulk.insert(JournalEntry, same, {"sequence": [7]})
    entry = JournalEntry.objects.get()
    assert (entry.attempts, entry.credential) == ([], None)
    assert before <= entry.at <= clock.now()


def test_all_rows_or_none(vault: Vault) -> None:
    same = {"kind": "purge", "vault_id": vault.pk, "type": "data", "name": "x"}
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(JournalEntry, same, {"sequence": [*range(COUNT), None]})
    assert written() == []


def test_nothing_to_insert(vault: Vault) -> None:
    bulk.insert(JournalEntry, {"vault_id": vault.pk}, {"sequence": []})
    assert written() == []


def test_an_unknown_name_and_lists_of_different_lengths(vault: Vault) -> None:
    with pytest.raises(ValueError, match="no field nmae"):
        bulk.insert(JournalEntry, {"nmae": "x"}, {"sequence": [1]})
    with pytest.raises(ValueError, match="shorter"):
        bulk.insert(JournalEntry, {"vault_id": vault.pk}, {"sequence": [1, 2], "name": ["x"]})


def test_rows_come_in_their_order_while_they_are_changed(vault: Vault) -> None:
    same = {"kind": "purge", "vault_id": vault.pk, "type": "data", "name": "x"}
    bulk.insert(JournalEntry, same, {"sequence": range(COUNT)})
    seen = []
    for entry in bulk.steadily(JournalEntry.objects.order_by("-sequence"), 7):
        seen.append(entry.sequence)
        JournalEntry.objects.filter(pk=entry.pk).update(name="y")
    assert seen == list(reversed(range(COUNT)))
    assert list(bulk.steadily(JournalEntry.objects.filter(name="x"))) == []


def test_a_row_that_has_gone_before_its_turn_is_passed_over(vault: Vault) -> None:
    same = {"kind": "purge", "vault_id": vault.pk, "type": "data", "name": "x"}
    bulk.insert(JournalEntry, same, {"sequence": range(20)})
    seen = []
    for entry in bulk.steadily(JournalEntry.objects.filter(name="x").order_by("sequence"), 5):
        seen.append(entry.sequence)
        if entry.sequence == 0:
            JournalEntry.objects.filter(sequence__in=[12, 13]).update(name="y")
    expected = set(range(20))
    if connection.vendor == "sqlite":  # elsewhere the reading goes on as it was begun
        expected -= {12, 13}
    assert seen == sorted(expected)
