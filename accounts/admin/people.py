"""Staff pages about people: who they are, where they have seats, and what was done."""

from typing import Any, ClassVar

import allauth.account.admin  # noqa: F401 -- registers its own pages, which are replaced below
import django.contrib.auth.admin  # noqa: F401 -- the same
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField, Model
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest

from accounts.admin.base import OfAccountAdmin, StaffAdmin
from accounts.models import AuditEvent, Device, Membership, StaffNote, User

for replaced in (EmailAddress, Group):
    admin.site.unregister(replaced)


@admin.register(User)
class UserAdmin(StaffAdmin):
    """People. Superusers are made at the command line only, and they alone say who is staff."""

    list_display = ("email", "name", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email__istartswith",)
    editable = ("is_active", "is_staff", "groups", "user_permissions")
    hidden = ("password",)
    formfield_overrides: ClassVar[Any] = {ManyToManyField: {"widget": CheckboxSelectMultiple}}

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers only: whoever gives rights could give themselves any."""
        user = request.user
        is_superuser = isinstance(user, User) and user.is_active and user.is_superuser
        return is_superuser and super().has_change_permission(request, obj)


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
class AuditEventAdmin(OfAccountAdmin):
    """What was done, by whom. The newest first; found by account, since that is indexed."""

    list_display = ("at", "account", "actor_label", "verb", "subject")
    list_select_related = ("account",)


@admin.register(StaffNote)
class StaffNoteAdmin(OfAccountAdmin):
    """What staff noted about accounts. They are written on an account's page, and stay."""

    list_display = ("at", "account", "author_label", "text")
    list_select_related = ("account",)
