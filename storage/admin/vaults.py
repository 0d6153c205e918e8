"""Staff pages about vaults and who may enter them. Never a secret, a hash or a body."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.base import OfAccountAdmin, StaffAdmin, acting
from accounts.admin.confirmation import confirmed
from storage.models import Credential, Lock, Vault, VaultEvent
from storage.vaults import credentials as credential_actions


@admin.register(Vault)
class VaultAdmin(StaffAdmin):
    """Vaults."""

    list_display = ("name", "public_id", "account", "device", "state", "last_snapshot_at")
    list_filter = ("state",)
    list_select_related = ("account", "device")
    search_fields = ("public_id__exact", "account__public_id__exact")


@admin.register(VaultEvent)
class VaultEventAdmin(OfAccountAdmin):
    """What happened in vaults: backups, refusals, removals. The newest first."""

    account_path = "vault__account"
    list_display = ("last_at", "vault", "account", "kind", "status", "count", "text")
    list_filter = ("kind", "status")
    list_select_related = ("vault__account",)
    hidden = ("key",)

    @admin.display(description="account")
    def account(self, event: VaultEvent) -> str:
        """Whose vault it is."""
        return event.vault.account.name


@admin.register(Credential)
class CredentialAdmin(StaffAdmin):
    """Credentials, without their hashes."""

    list_display = ("prefix", "scope", "vault", "device", "last_used_at", "revoked_at")
    list_filter = ("scope",)
    list_select_related = ("vault", "device")
    search_fields = ("prefix__exact", "vault__public_id__exact")
    hidden = ("secret_sha256",)
    actions = ("revoke",)

    @admin.action(description="Revoke at once", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Credential]) -> HttpResponse | None:
        """End the chosen credentials."""
        consequence = (
            "Programs that use these can neither back up nor restore any more. A credential does "
            "not come back: the owner makes another one."
        )
        answer = confirmed(
            self,
            request,
            queryset,
            name="revoke",
            title="Revoke these credentials",
            consequence=consequence,
        )
        if answer is not None:
            return answer
        chosen = list(queryset.filter(revoked_at=None).select_related("vault__account"))
        for credential in chosen:
            credential_actions.revoke(credential, actor=acting(request))
        messages.success(request, f"{len(chosen)} revoked.")
        return None


@admin.register(Lock)
class LockAdmin(StaffAdmin):
    """Locks that clients hold, without their bodies."""

    list_display = ("vault", "name", "credential", "created_at")
    list_select_related = ("vault", "credential")
    search_fields = ("vault__public_id__exact",)
    hidden = ("body",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lock]:
        """Leave the sealed bodies in the database."""
        return super().get_queryset(request).defer("body")
