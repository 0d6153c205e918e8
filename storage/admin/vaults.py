"""Staff pages about vaults and who may enter them. Never a secret, a hash or a body."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import StaffAdmin, acting
from storage.models import (
    Alarm,
    CanaryRun,
    Channel,
    Credential,
    Heartbeat,
    Lock,
    LossNotice,
    Vault,
)
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


@admin.register(Alarm)
class AlarmAdmin(StaffAdmin):
    """What is wrong at present, as the workers last saw it. `manage.py alarms` looks afresh."""

    list_display = ("text", "since", "mailed_at", "advice")
    ordering = ("since",)


@admin.register(Channel)
class ChannelAdmin(StaffAdmin):
    """The ways by which people are told, and whether they work."""

    list_display = ("name", "worked_at", "failed_at", "error")
    ordering = ("name",)


@admin.register(CanaryRun)
class CanaryRunAdmin(StaffAdmin):
    """The service's own round trips through each region."""

    list_display = ("at", "region", "went_well", "seconds", "error")
    list_filter = ("region", "went_well")
    list_select_related = ("region",)


@admin.register(LossNotice)
class LossNoticeAdmin(StaffAdmin):
    """Vaults that lost objects, and when their people were told."""

    list_display = ("vault", "is_due", "mailed_at")
    list_select_related = ("vault",)


@admin.register(Heartbeat)
class HeartbeatAdmin(StaffAdmin):
    """When each part of the service was last heard of."""

    list_display = ("name", "at")
    ordering = ("name",)
