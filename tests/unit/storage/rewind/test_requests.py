"""What may be asked for, and what is answered in words otherwise."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.audit import SERVICE
from backup_service import clock
from storage.models import Undelete, Vault
from storage.rewind import requests
from storage.rewind.requests import UndeleteError, Wanted
from tests.unit.storage.conftest import Caller
from tests.unit.storage.rewind.conftest import Story

pytestmark = pytest.mark.django_db


def ask(vault: Vault, wanted: Wanted) -> Undelete:
    return requests.request(vault, wanted, actor=SERVICE)


def test_out_of_reach(story: Story) -> None:
    story.empty()
    for moment, said in [
        (clock.now() - timedelta(days=31), "kept for 30 days"),
        (clock.now() + timedelta(hours=1), "not come yet"),
        (None, "Say to which moment"),
    ]:
        with pytest.raises(UndeleteError, match=said):
            ask(story.vault, Wanted(moment=moment))


def test_nothing_to_do(story: Story) -> None:
    with pytest.raises(UndeleteError, match="nothing to do"):
        ask(story.vault, Wanted(moment=story.moment))
    assert not Undelete.objects.exists()


def test_one_at_a_time(story: Story) -> None:
    story.empty()
    ask(story.vault, Wanted(moment=story.moment))
    with pytest.raises(UndeleteError, match="already"):
        ask(story.vault, Wanted(moment=story.moment))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("abc", "at least 6"),
        ("e" * 65, "at least 6"),
        ("\x00" * 64, "at least 6"),
        ("x' OR 1=1", "at least 6"),
        ("e" * 64, "No snapshot"),
    ],
)
def test_snapshots_that_there_are_not(story: Story, word: str, said: str) -> None:
    story.empty()
    with pytest.raises(UndeleteError, match=said):
        ask(story.vault, Wanted(snapshots=[word]))


def test_a_snapshot_that_is_there(story: Story) -> None:
    with pytest.raises(UndeleteError, match="has not been removed"):
        ask(story.vault, Wanted(snapshots=story.names()["snapshots"][:1]))


def test_a_snapshot_that_was_not_there_yet(story: Story) -> None:
    names = story.names()["snapshots"]
    story.empty()
    moment = Vault.objects.get(pk=story.vault.pk).created_at
    with pytest.raises(UndeleteError, match="was not there at that moment"):
        ask(story.vault, Wanted(moment=moment, snapshots=names))


def test_another_vaults_credential(story: Story, bob: Caller) -> None:
    story.empty()
    with pytest.raises(UndeleteError, match="no credential"):
        ask(story.vault, Wanted(moment=story.moment, credential=bob.credential.prefix))


def test_both_at_once(story: Story) -> None:
    names = story.names()["snapshots"]
    story.empty()
    wanted = Wanted(story.moment, snapshots=names, credential=story.thief.credential.prefix)
    with pytest.raises(UndeleteError, match="not both"):
        ask(story.vault, wanted)


def test_too_many(story: Story) -> None:
    with pytest.raises(UndeleteError, match="At most 100"):
        ask(story.vault, Wanted(snapshots=["x" * 64] * 101))


def test_another_vault_is_not_touched(story: Story, bob: Caller) -> None:
    bob.put(b"x" * 1000)
    bob.delete(f"data/{bob.names('data')[0]}")
    story.empty()
    assert requests.plan(story.vault, Wanted(moment=story.moment)).objects == 8


def command(*arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command("undelete", *arguments, "--json", stdout=out)
    found: dict[str, object] = json.loads(out.getvalue())
    return found


def test_the_command(story: Story) -> None:
    before = story.names()
    story.empty()
    to = ["--vault", story.vault.public_id, "--to", story.moment.isoformat()]
    planned = command(*to, "--dry-run")
    assert (planned["objects"], planned["snapshots"], planned["bytes"]) == (8, 2, 40_000)
    assert not Undelete.objects.exists()
    done = command(*to)
    assert (done["finished"], done["objects"], done["purged"]) == (True, 8, 0)
    assert story.names() == before


def test_the_command_with_names_and_credentials(story: Story) -> None:
    names = story.names()["snapshots"]
    vault = ["--vault", story.vault.public_id]
    story.empty()
    assert command(*vault, "--snapshot", names[0][:10], names[1])["snapshots"] == 2
    moment = clock.database_now()
    story.empty()
    done = command(
        *vault, "--to", moment.isoformat(), "--by-credential", story.thief.credential.prefix
    )
    assert done["objects"] == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "yesterday"], "is no time"),
        (["--to", "0001-01-01T00:00+14:00"], "out of reach"),
        (["--to", "2020-01-01"], "30 days"),
        ([], "Say to which moment"),
        (["--snapshot", "\ud800aaaaaa"], "holds bytes that are no text"),
    ],
)
def test_the_command_says_what_is_wrong(story: Story, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        command("--vault", story.vault.public_id, *arguments)


def test_no_vault() -> None:
    with pytest.raises(CommandError, match="no vault"):
        command("--vault", "nowhere", "--to", datetime.now(UTC).isoformat())
