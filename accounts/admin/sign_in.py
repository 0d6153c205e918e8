"""Staff pages about how people sign in: that there is a second factor, never its secret."""

import allauth.mfa.admin
import allauth.usersessions.admin  # noqa: F401 -- the same
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin

from accounts.admin.base import StaffAdmin

for replaced in (Authenticator, UserSession):
    admin.site.unregister(replaced)


@admin.register(Authenticator)
class AuthenticatorAdmin(StaffAdmin):
    """Second factors."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__email__istartswith",)
    hidden = ("data",)


@admin.register(UserSession)
class UserSessionAdmin(StaffAdmin):
    """Sessions. Who has a session's key has the session, so it is not shown."""

    list_display = ("user", "created_at", "ip", "user_agent")
    list_select_related = ("user",)
    search_fields = ("user__email__istartswith",)
    hidden = ("session_key", "data")
