"""`manage.py staff add|remove|list|groups`: who runs the service, and what they may do."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from accounts.management.operator_command import OperatorCommand
from accounts.models import User
from accounts.staff import people
from accounts.staff.groups import MEANING, OF_GROUP, StaffGroup


class Command(OperatorCommand):
    help = (
        "add: put somebody into a group of staff; whoever is new sets a password by the link "
        "“Forgot your password?”, and a second factor at the first visit. remove: take somebody "
        "out of all groups, superusers too. list: who is staff. groups: what each may do."
    )
    refusals = (people.NoSuchPersonError,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["add", "remove", "list", "groups"])
        parser.add_argument("email", nargs="?", help="add, remove: whose address")
        parser.add_argument("--group", choices=[group.value for group in StaffGroup])

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["action"] == "list":
            return {"staff": [_shown(user) for user in people.everybody()]}
        if options["action"] == "groups":
            return {"groups": [_group(group) for group in StaffGroup]}
        if not options["email"]:
            raise CommandError("Say whom: staff add ADDRESS --group GROUP, staff remove ADDRESS.")
        if options["action"] == "remove":
            return _shown(people.remove(options["email"], actor=OPERATOR))
        return self._add(options)

    def _add(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["group"]:
            raise CommandError(f"Say into which group: --group {'|'.join(StaffGroup)}.")
        email = options["email"].strip().lower()
        try:
            User(email=email).clean_fields(exclude={"password", "name"})
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user, is_new = people.add(email, group=StaffGroup(options["group"]), actor=OPERATOR)
        user.refresh_from_db()
        hint = f"They set a password at {settings.SITE_URL}/accounts/password/reset/"
        return _shown(user) | ({"next": hint} if is_new else {})


def _shown(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": sorted(group.name for group in user.groups.all()),
    }


def _group(group: StaffGroup) -> dict[str, Any]:
    return {"name": group.value, "does": MEANING[group], "rights": sorted(OF_GROUP[group])}
