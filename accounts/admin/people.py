"""Staff pages about people: who they are, where they have seats, and what was done."""

import allauth.account.admin  # noqa: F401 -- registers its own pages, which are replaced below
import django.contrib.auth.admin  # noqa: F401 -- the same
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.admin.base import StaffAdmin
from accounts.models import Account, AuditEvent, Device, Membership, User

for replaced in (EmailAddress, Group):
    admin.site.unregister(replaced)


@admin.register(User)
class UserAdmin(StaffAdmin):
    """People. Superusers are made at the command line only."""

    list_display = ("email", "name", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email__istartswith",)
    editable = ("is_active", "is_staff", "user_permissions")
    hidden = ("password", "groups")
    filter_horizontal = ("user_permissions",)


@admin.register(EmailAddress)
class EmailAddressAdmin(StaffAdmin):
    """Addresses, and whether their owners have confirmed them."""

    list_display = ("email", "user", "primary", "verified")
    list_select_related = ("user",)
    search_fields = ("email__istartswith",)


@admin.register(Membership)
class MembershipAdmin(StaffAdmin):
    """Seats in accounts."""

    list_display = ("user", "account", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "account")
    search_fields = ("user__email__istartswith", "account__public_id__exact")


@admin.register(Device)
class DeviceAdmin(StaffAdmin):
    """Computers."""

    list_display = ("name", "account", "public_id", "created_at", "retired_at")
    list_select_related = ("account",)
    search_fields = ("public_id__exact", "account__public_id__exact")


@admin.register(AuditEvent)
class AuditEventAdmin(StaffAdmin):
    """What was done, by whom. The newest first; found by account, since that is indexed."""

    list_display = ("at", "account", "actor_label", "verb", "subject")
    list_select_related = ("account",)
    search_fields = ("account",)
    search_help_text = "An account’s identifier, or the e-mail address of a member"  # noqa: RUF001

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        """Narrow to the accounts that the term names."""
        term = search_term.strip()
        if not term:
            return queryset, False
        accounts = Account.objects.filter(
            Q(public_id=term) | Q(memberships__user__email__iexact=term)
        )
        return queryset.filter(account__in=list(accounts.distinct()[:20])), False
