"""The account's people are told at once when nearly everything was removed, and once."""

import pytest

from accounts.models import Delivery, Notice
from accounts.notifications.registry import kind_of
from storage.rewind import worker
from tests.unit.storage.rewind.conftest import Story, story
from tests.unit.storage.rewind.test_worker import bring_back

__all__ = ["story"]
pytestmark = pytest.mark.django_db


def letter_of(notice: Notice) -> str:
    written = kind_of(notice.kind).write(notice.values)
    return written.subject + "\n" + written.text(footer="")


def test_a_wipe_is_told_of_once(story: Story) -> None:
    story.empty()
    notice = Notice.objects.get(kind="vault-wiped")
    said = " ".join(letter_of(notice).split())
    assert notice.account == story.vault.account
    assert "Nearly everything was removed from “laptop”" in said
    assert f"with the credential {story.thief.credential.prefix}." in said
    assert f"/vaults/{story.vault.public_id}/" in said
    assert Delivery.objects.get(notice=notice).address == "alice@example.org"


def test_an_undelete_is_told_of(story: Story) -> None:
    story.empty()
    row = bring_back(story)
    notice = Notice.objects.get(kind="vault-undeleted")
    assert worker.sentence(row) in " ".join(letter_of(notice).split())
