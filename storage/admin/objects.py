"""Staff pages about objects, their replicas and what was removed.

These tables are the big ones. They are listed by primary key, counted no further than somebody
pages, and searched by vault, because that is how they are indexed.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import StaffAdmin, acting
from storage.models import Attempt, JournalEntry, Replica, StoredObject, Vault
from storage.replication import leases


class OfVaultAdmin(StaffAdmin):
    """Searched by a vault's identifier and, after a space, the beginning of an object's name."""

    vault_path = "vault"
    name_path = "name"
    search_fields = ("vault",)
    search_help_text = "A vault’s identifier, then a space and the beginning of a name"  # noqa: RUF001

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Narrow to one vault, and there to names."""
        identifier, _, name = search_term.strip().partition(" ")
        if not identifier:
            return queryset, False
        vault = Vault.objects.filter(public_id=identifier).first()
        found = queryset.filter(**{self.vault_path: vault}) if vault else queryset.none()
        if name:
            found = found.filter(**{f"{self.name_path}__startswith": name.strip()})
        return found, False


@admin.register(StoredObject)
class StoredObjectAdmin(OfVaultAdmin):
    """Objects' metadata; their bytes are sealed and of no use here."""

    list_display = ("name", "type", "vault", "size", "state", "created_at", "tombstoned_at")
    list_filter = ("type", "state")
    list_select_related = ("vault",)


@admin.register(Replica)
class ReplicaAdmin(OfVaultAdmin):
    """Replicas: there, to be made, or damaged."""

    vault_path = "object__vault"
    name_path = "object__name"
    list_display = ("object", "region", "state", "since", "tries", "parked_at", "last_error")
    list_filter = ("region", "state", ("parked_at", admin.EmptyFieldListFilter))
    list_select_related = ("object", "region")
    hidden = ("lease_token",)
    actions = ("unpark",)

    @admin.action(description="Unpark: try to make these replicas again", permissions=["change"])
    def unpark(self, request: HttpRequest, queryset: QuerySet[Replica]) -> None:
        """Put the chosen parked replicas back on the work list."""
        chosen = list(queryset.values_list("pk", flat=True))
        unparked = leases.unpark(chosen, actor=acting(request))
        messages.success(request, f"{unparked} of {len(chosen)} put back on the work list.")


@admin.register(Attempt)
class AttemptAdmin(OfVaultAdmin):
    """Uploads and where their bytes lie. By random key: there is no index for another order."""

    list_display = ("id", "vault", "type", "region", "state", "size", "created_at", "due_at")
    list_filter = ("state", "region", "type")
    list_select_related = ("vault", "region")
    ordering = ("pk",)


@admin.register(JournalEntry)
class JournalEntryAdmin(OfVaultAdmin):
    """Every removal there ever was."""

    list_display = ("at", "kind", "vault", "type", "name", "credential")
    list_filter = ("kind",)
    list_select_related = ("vault", "credential")
