"""Staff pages about vaults and who may enter them. Never a secret, a hash or a body."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import StaffAdmin, acting
from storage.models import Credential, Lock, Vault
from storage.vaults import credentials as credential_actions


@admin.register(Vault)
class VaultAdmin(StaffAdmin):
    """Vaults."""

    list_display = ("name", "public_id", "account", "device", "state", "last_snapshot_at")
    list_filter = ("state",)
    list_select_related = ("account", "device")
    search_fields = ("public_id__exact", "account__public_id__exact")


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
    def revoke(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        """End the chosen credentials."""
        chosen = list(queryset.filter(revoked_at=None).select_related("vault__account"))
        for credential in chosen:
            credential_actions.revoke(credential, actor=acting(request))
        messages.success(request, f"{len(chosen)} revoked.")


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
