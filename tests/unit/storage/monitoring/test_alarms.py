"""Alarms as rows and mails: once when they begin, once when they end, daily between."""

import json
import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from pytest_django import Settings

from accounts.models import Delivery, Notice, User
from accounts.notifications.letter import Letter
from backup_service import clock
from storage.integrity import scrub
from storage.models import (
    Alarm,
    Channel,
    Heartbeat,
    Replica,
    StoredObject,
    Vault,
)
from storage.monitoring import alarms, canary, losses
from storage.monitoring.mail import staff
from storage.replication import leases
from storage.replication.replicator import replicate_due
from tests.support.storage.replicas import replica_in
from tests.unit.storage.conftest import Caller, damage, sha, some

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_service")]


def broken_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: EmailBackend, messages: list[EmailMessage]) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)


def subjects() -> list[str]:
    return [str(message.subject) for message in mail.outbox]


def lose(backup: Caller, count: int = 1) -> list[StoredObject]:
    objects = []
    for _ in range(count):
        content = some()
        backup.put(content)
        objects.append(backup.stored_object(content))
    replicate_due()
    for one in objects:
        for alias in "ab":
            damage(replica_in(one, alias))
    scrub.scrub_all()
    return objects


def test_no_replica_is_waited_for_of_what_was_lost_and_removed(
    backup: Caller, maintain: Caller
) -> None:
    """There is nothing to copy from: neither is it late, nor does a worker try."""
    [obj] = lose(backup)
    maintain.delete(f"data/{obj.name}")
    with clock.travelled(timedelta(hours=2)):
        Heartbeat.beat("worker")
        assert leases.due().count() == 0
        assert {found.key for found in alarms.present()} & {"lost", "copies:a", "copies:b"} == set()


def test_what_was_removed_and_has_a_replica_left_gets_its_others(
    backup: Caller, maintain: Caller
) -> None:
    content = some()
    backup.put(content)
    replicate_due()
    damage(replica_in(backup.stored_object(content), "b"))
    scrub.scrub_all()
    maintain.delete(f"data/{sha(content)}")
    with clock.travelled(timedelta(hours=2)):
        assert leases.due().count() == 1
        assert "copies:b" in {found.key for found in alarms.present()}


def test_staff_is_told_once_again_after_a_day_and_when_it_is_over(backup: Caller) -> None:
    assert alarms.refresh() == []
    backup.put(some())
    with clock.travelled(timedelta(minutes=4)):
        Heartbeat.beat("worker")
        assert alarms.refresh() == []
    with clock.travelled(timedelta(minutes=20)):
        Heartbeat.beat("worker")
        assert [found.key for found in alarms.refresh()] == ["copies:b"]
        alarms.refresh()
        assert len(mail.outbox) == 1
        assert mail.outbox[0].to == ["staff@example.org"]
        assert "1 replica for region b" in mail.outbox[0].subject
        assert "region status" in mail.outbox[0].body
    with clock.travelled(timedelta(hours=24, minutes=30)):
        Heartbeat.beat("worker")
        alarms.refresh()
        assert len(mail.outbox) == 2
        replicate_due()
        Replica.objects.update(verified_at=clock.now())
        Heartbeat.beat("scrub")
        Heartbeat.beat("sweep")
        canary.send()
        replicate_due()
        alarms.refresh()
        assert "Over: " in subjects()[-1]
        assert not Alarm.objects.filter(key="copies:b").exists()


def test_silence_alone_is_heard_without_any_worker(
    backup: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.put(some())
    replicate_due()
    scrub.scrub_all()
    with clock.travelled(timedelta(hours=4)):
        with pytest.raises(SystemExit) as ended:
            call_command("alarms", "--json")
        assert ended.value.code == 1
        found = {one["key"] for one in json.loads(capsys.readouterr().out)["alarms"]}
        assert found == {"worker", "scrub", "sweep", "canary:a", "canary:b", "notices"}
    with clock.travelled(timedelta(days=31)):
        found = {one.key for one in alarms.present()}
        assert {"scrub:a", "scrub:b"} <= found


def test_the_command_ends_with_0_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("alarms")
    assert "Nothing is wrong." in capsys.readouterr().out


def test_parked_replicas_alarm(backup: Caller) -> None:
    backup.put(some())
    Replica.objects.filter(state="pending").update(parked_at=clock.now(), tries=12)
    assert "parked:b" in [found.key for found in alarms.present()]


def test_new_replicas_that_nobody_reads_back_alarm(backup: Caller) -> None:
    backup.put(some())
    replicate_due()
    with clock.travelled(timedelta(minutes=61)):
        assert "unread:a" in [found.key for found in alarms.present()]


def test_mail_that_fails_is_itself_an_alarm_and_is_made_up_for(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    Replica.objects.all().delete()
    backup.put(some())
    Replica.objects.filter(state="pending").update(parked_at=clock.now())
    with monkeypatch.context() as patch:
        broken_mail(patch)
        alarms.refresh()
        assert "SMTPServerDisconnected" in Channel.objects.get(name="mail").error
        assert "mail" in [found.key for found in alarms.refresh()]
        assert Alarm.objects.filter(key="mail").exists()
    assert mail.outbox == []
    alarms.refresh()
    assert len(mail.outbox) == 1
    assert "parked" in mail.outbox[0].body or "given up" in mail.outbox[0].body
    assert Channel.objects.get(name="mail").failed_at is None
    alarms.refresh()
    assert not Alarm.objects.filter(key="mail").exists()


def test_without_admins_superusers_are_told(settings: Settings) -> None:
    settings.ADMINS = []
    User.objects.create_user("sam@example.org", is_staff=True, is_superuser=True)
    assert staff() == ["sam@example.org"]


# --- losses


def loss_letters() -> list[Letter]:
    notices = Notice.objects.filter(kind=losses.LOST).order_by("pk")
    return [losses.lost_objects(notice.values) for notice in notices]


def test_owner_and_staff_are_told_of_losses_at_once(backup: Caller) -> None:
    objects = lose(backup, 3)
    assert losses.notify() == 1
    (letter,), (staff,) = loss_letters(), mail.outbox
    delivery = Delivery.objects.get(notice__kind=losses.LOST)
    assert (delivery.address, staff.to) == ("alice@example.org", ["staff@example.org"])
    assert "run a backup now" in letter.subject
    said = letter.text(footer="")
    assert "Of 3 objects" in said
    assert "nightsafe backup" in " ".join(said.split())
    for one in objects:
        assert one.name in said
        assert one.name in staff.body
    assert losses.notify() == 0
    assert len(loss_letters()) == 1


def test_a_vault_gets_one_notice_an_hour_at_most(backup: Caller) -> None:
    lose(backup)
    losses.notify()
    lose(backup)
    assert losses.notify() == 0
    with clock.travelled(timedelta(minutes=61)):
        assert losses.notify() == 1
        assert losses.notify() == 0
    assert "Of 2 objects" in loss_letters()[1].text(footer="")


def test_a_loss_is_told_of_whatever_the_mail_server_does(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(backup)
    with monkeypatch.context() as patch:
        broken_mail(patch)
        assert losses.notify() == 1
    assert Delivery.objects.waiting().filter(notice__kind=losses.LOST).count() == 1
    assert "mail" in [found.key for found in alarms.present()]


def test_sending_lost_objects_again_heals_them_and_nobody_is_bothered(
    backup: Caller, vault: Vault
) -> None:
    contents = [some() for _ in range(3)]
    for content in contents:
        backup.put(content)
    replicate_due()
    for content in contents:
        for alias in "ab":
            damage(replica_in(backup.stored_object(content), alias))
    scrub.scrub_all()
    assert backup.names("data") == []
    assert "lost" in [found.key for found in alarms.present()]
    for content in contents:
        assert backup.put(content).status_code == 200
        assert backup.state_of(backup.stored_object(content)) == "live"
    assert len(backup.names("data")) == 3
    assert losses.notify() == 1  # it is settled, and nobody was told
    assert mail.outbox == []
    assert loss_letters() == []
    replicate_due()
    scrub.scrub_all()
    assert "lost" not in [found.key for found in alarms.present()]
    assert all(
        obj.replicas.filter(state="stored").count() == 2 for obj in StoredObject.objects.all()
    )
    assert all(backup.fetch(f"data/{obj.name}") in contents for obj in StoredObject.objects.all())
