"""The words of notices about backups."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext, gettext_noop

from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.notifications.wording import day_of, minute_of, size_of
from accounts.topics import Topic
from storage.vaults.quota import Allowance

LATE, NEVER, QUOTA, CREDENTIAL, KEY, REPORT = (
    "backup-late",
    "backup-never",
    "plan-full",
    "new-credential",
    "key-change",
    "report",
)
NO_COMPUTER = gettext_noop("No computer of this account is in use. Add one on the website.")
WHO_READS = gettext_noop("Whoever knows the passphrase of a key can read the vault.")


@register(LATE, Topic.BACKUPS)
def late(values: Values) -> Letter:
    """Say that backups have stopped."""
    again = gettext("Reminder: ") if values["count"] > 1 else ""
    return Letter(
        subject=gettext("%(again)s“%(name)s” has not been backed up since %(last)s")
        % {"again": again, "name": values["name"], "last": day_of(values["last"])},
        lines=[
            gettext(
                "The last backup of “%(name)s” came on %(last)s, and another one should have "
                "come by %(expected)s."
            )
            % {
                "name": values["name"],
                "last": day_of(values["last"]),
                "expected": day_of(values["expected"]),
            },
            gettext(
                "Is the computer on, and on the network? Run a backup by hand on it: it says what "
                "is the matter. What was backed up before is safe."
            ),
            gettext(
                "We remind you every week until a backup comes. If the computer is no longer used, "
                "retire it on its page."
            ),
        ],
        facts=[
            (gettext("Last backup"), day_of(values["last"])),
            (gettext("Expected by"), day_of(values["expected"])),
        ],
        link=_vault(values),
        is_urgent=True,
    )


@register(NEVER, Topic.BACKUPS)
def never(values: Values) -> Letter:
    """Say that a computer was added and never backed up."""
    return Letter(
        subject=gettext("“%(name)s” is not backed up yet") % {"name": values["name"]},
        lines=[
            gettext(
                "“%(name)s” was added on %(added)s, and no backup of it has been completed "
                "since. Its page shows what to do on the computer."
            )
            % {"name": values["name"], "added": day_of(values["added"])},
        ],
        link=_vault(values),
    )


@register(QUOTA, Topic.BACKUPS)
def quota(values: Values) -> Letter:
    """Say that the plan is nearly full, or full."""
    used = gettext("%(used)s of %(quota)s") % {
        "used": size_of(values["used"]),
        "quota": size_of(values["quota"]),
    }
    if values["level"] >= 100:
        return _full(values, used)
    return Letter(
        subject=gettext("Your plan is %(level)s %% full") % {"level": values["level"]},
        lines=[
            gettext(
                "%(used)s are used. When the plan is full, new backups are refused; what is "
                "stored stays, and restores work."
            )
            % {"used": used},
            gettext("A larger plan, or fewer old snapshots, make room in time."),
        ],
        facts=[(gettext("Used"), used)],
        link=_dashboard(),
    )


def _full(values: Values, used: str) -> Letter:
    return Letter(
        subject=gettext("Your plan is full: new backups are refused"),
        lines=[
            gettext(
                "%(used)s are used, so nothing more can be stored. What is stored is safe, and "
                "restores work."
            )
            % {"used": used},
            gettext(
                "To make room, choose a larger plan, or remove old snapshots: make a "
                "credential with the right “maintain” on the vault's page, which shows the "
                "lines to type."
            ),
            gettext(
                "Such a credential may store up to %(overdraw)s more, which a prune needs. Do "
                "not back up with it."
            )
            % {"overdraw": size_of(Allowance.for_upkeep(values["quota"]).overdraw)},
        ],
        facts=[(gettext("Used"), used)],
        link=_dashboard(),
        is_urgent=True,
    )


@register(CREDENTIAL, Topic.SECURITY)
def credential(values: Values) -> Letter:
    """Say that somebody can get into a vault now."""
    return Letter(
        subject=gettext("A new credential for “%(name)s”") % {"name": values["name"]},
        lines=[
            gettext("%(by)s made a credential for the vault “%(name)s”. It may: %(may)s.")
            % {"by": values["by"], "name": values["name"], "may": gettext(values["may"])},
            gettext(
                "If nobody in your account did this, revoke it on the vault's page now, and change "
                "your password for this website."
            ),
        ],
        facts=[
            (gettext("User name"), values["username"]),
            (gettext("Made"), minute_of(values["at"])),
        ],
        link=_vault(values),
    )


@register(KEY, Topic.SECURITY)
def key(values: Values) -> Letter:
    """Say that a vault has another key, which another passphrase may open."""
    about = {name: values[name] for name in ("name", "username")} | {"at": minute_of(values["at"])}
    if values["removed"]:
        subject = gettext("A key was removed from “%(name)s”")
        line = gettext(
            "At %(at)s a key was removed from the vault “%(name)s” with the credential "
            "%(username)s."
        )
    else:
        subject = gettext("A key was added to “%(name)s”")
        line = gettext(
            "At %(at)s a key was added to the vault “%(name)s” with the credential %(username)s."
        )
    return Letter(
        subject=subject % about,
        lines=[
            f"{line % about} {gettext(WHO_READS)}",
            gettext(
                "If nobody in your account did this, revoke that credential on the vault's page "
                "now."
            ),
        ],
        link=_vault(values),
        is_urgent=True,
    )


@register(REPORT, Topic.REPORTS)
def report(values: Values) -> Letter:
    """Say how all is."""
    return Letter(
        subject=values["subject"],
        lines=values["lines"],
        facts=[(name, text) for name, text in values["facts"]],
        link=_dashboard(),
    )


def report_values(
    *, account: str, standings: Sequence[tuple[str, str, str]], used: str, quota: str
) -> dict[str, object]:
    """Return the values of a report. `standings`: name, word and reason of each vault."""
    bad = [one for one in standings if one[1] not in ("protected", "copying")]
    good = len(standings) - len(bad)
    if not standings:
        subject = gettext("“%(account)s”: nothing is backed up yet") % {"account": account}
        lines = [gettext(NO_COMPUTER)]
    elif not bad:
        subject = (
            gettext("“%(account)s”: all %(good)s protected") % {"account": account, "good": good}
            if good > 1
            else gettext("“%(account)s”: protected") % {"account": account}
        )
        lines = [gettext("Everything is backed up, with its copies in several places.")]
    else:
        subject = gettext("“%(account)s”: %(bad)s of %(standings)s need you") % {
            "account": account,
            "bad": len(bad),
            "standings": len(standings),
        }
        lines = [gettext("These are not protected as they should be:")]
        lines += [f"{name}: {gettext(word)}. {reason}" for name, word, reason in bad[:20]]
        if len(bad) > 20:
            lines.append(
                gettext("And %(bad)s more; the website lists them.") % {"bad": len(bad) - 20}
            )
    return {
        "subject": subject,
        "lines": lines,
        "facts": [
            [
                gettext("Protected"),
                gettext("%(good)s of %(standings)s") % {"good": good, "standings": len(standings)},
            ],
            [gettext("Used"), gettext("%(used)s of %(quota)s") % {"used": used, "quota": quota}],
        ],
    }


def _vault(values: Values) -> Link:
    return Link(gettext("Open the vault's page"), f"{settings.SITE_URL}/vaults/{values['vault']}/")


def _dashboard() -> Link:
    return Link(gettext("Open your backups"), f"{settings.SITE_URL}/dashboard/")
