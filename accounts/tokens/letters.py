"""What people are told about API tokens, in words."""

from django.conf import settings
from django.utils.translation import gettext

from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.notifications.wording import day_of, minute_of
from accounts.tokens.tokens import FULL_TOKEN
from accounts.topics import Topic


@register(FULL_TOKEN, Topic.SECURITY)
def full_token(values: Values) -> Letter:
    """Say that a program can do now what would harm most in wrong hands."""
    return Letter(
        subject=gettext("A new API token of full scope for “%(name)s”") % {"name": values["name"]},
        lines=[
            gettext(
                "%(by)s made the API token “%(label)s” for the account “%(name)s”. Until "
                "%(until)s a program that has it may delete vaults, make credentials that remove "
                "backups, and close the account."
            )
            % {
                "by": values["by"],
                "label": values["label"],
                "name": values["name"],
                "until": day_of(values["until"]),
            },
            gettext(
                "If nobody in your account did this, revoke it in the settings now, and change "
                "your password for this website."
            ),
        ],
        facts=[
            (gettext("Begins with"), values["prefix"]),
            (gettext("Made"), minute_of(values["at"])),
        ],
        link=Link(gettext("Open the API tokens"), f"{settings.SITE_URL}/settings/tokens/"),
        is_urgent=True,
    )
