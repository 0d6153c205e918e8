"""Lets Django ask what somebody may do by the groups of staff that they are in."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from accounts.staff.groups import OF_GROUP

_KEPT = "_rights_of_staff_groups"  # on the user, for as long as a request has it


class StaffPermissions(BaseBackend):
    """Answers from the table of groups. It signs nobody in."""

    def get_group_permissions(self, user_obj: User | AnonymousUser, obj: Any = None) -> set[str]:
        """Return what the groups of a member of staff give: nothing to others, or for one row."""
        if not isinstance(user_obj, User) or not (user_obj.is_active and user_obj.is_staff):
            return set()
        if obj is not None:
            return set()
        if not hasattr(user_obj, _KEPT):
            setattr(user_obj, _KEPT, rights_of(user_obj))
        kept: set[str] = getattr(user_obj, _KEPT)
        return kept

    def has_module_perms(self, user_obj: User | AnonymousUser, app_label: str) -> bool:
        """Return whether anything of an app is open to somebody."""
        rights = self.get_group_permissions(user_obj)
        return any(right.partition(".")[0] == app_label for right in rights)


def rights_of(user: User) -> set[str]:
    """Return what somebody's groups give, whoever they are."""
    names = user.groups.values_list("name", flat=True)
    return {right for name in names for right in OF_GROUP.get(name, frozenset())}
