"""Shows a new secret in the answer to the form that asked for it. It is written down nowhere."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from storage.models import Credential, Vault
from storage.vaults.credentials import NewCredential
from storage.website.forms import SCOPES

# What stock restic is started with first, by what the credential may do.
RESTIC = {
    Credential.Scope.RESTORE: "snapshots",
    Credential.Scope.BACKUP: "backup ~/",
    Credential.Scope.MAINTAIN: "forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --prune",
}


def secret_page(
    request: HttpRequest, vault: Vault, made: NewCredential, *, replaces: Credential | None = None
) -> HttpResponse:
    """Render a new credential with the lines that use it; `replaces` is the one before it.

    The form is to be sent once (`accounts.website.once`), so that a reload makes no other one.
    """
    may_back_up = made.credential.scope != Credential.Scope.RESTORE
    context = {
        "vault": vault,
        "credential": made.credential,
        "scope_meaning": SCOPES[Credential.Scope(made.credential.scope)],
        "secret": made.secret,
        "address": vault.url,
        "connect_string": _with_credential(vault.url, made),
        "is_new_vault": vault.is_new and may_back_up,
        "may_back_up": may_back_up,
        "may_remove": made.credential.scope == Credential.Scope.MAINTAIN,
        "restic_verb": RESTIC[Credential.Scope(made.credential.scope)],
        "replaces": replaces,
    }
    response = render(request, "storage/credential_once.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _with_credential(address: str, made: NewCredential) -> str:
    scheme, rest = address.split("://", 1)
    return f"{scheme}://{made.credential.prefix}:{made.secret}@{rest}"
