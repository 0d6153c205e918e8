"""`manage.py credential`: an operator makes and revokes."""

import json

import pytest
from django.core.management import CommandError, call_command

from storage.models import Credential
from tests.unit.storage.conftest import Caller

pytestmark = pytest.mark.django_db


def is_revoked(credential: Credential) -> bool:
    return Credential.objects.get(pk=credential.pk).revoked_at is not None


def test_a_credential_is_revoked_by_its_name_alone(
    backup: Caller, maintain: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    name = backup.credential.prefix
    call_command("credential", "revoke", "--username", name, "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"vault": backup.vault.public_id, "revoked": name}
    assert is_revoked(backup.credential)
    assert not is_revoked(maintain.credential)


def test_where_the_vault_is_named_too_it_must_be_that_one(backup: Caller, bob: Caller) -> None:
    options = ["--username", backup.credential.prefix]
    with pytest.raises(CommandError, match="in this vault"):
        call_command("credential", "revoke", "--vault", bob.vault.public_id, *options)
    assert not is_revoked(backup.credential)
    call_command("credential", "revoke", "--vault", backup.vault.public_id, *options)
    assert is_revoked(backup.credential)


@pytest.mark.parametrize(("act", "wanted"), [("create", "vault"), ("revoke", "username")])
def test_what_is_missing_is_asked_for(act: str, wanted: str, db: None) -> None:
    with pytest.raises(CommandError, match=f"--{wanted}"):
        call_command("credential", act)
