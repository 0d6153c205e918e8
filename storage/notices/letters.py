"""The words of notices about backups."""

from collections.abc import Sequence

from django.conf import settings

from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.topics import Topic

LATE, NEVER, QUOTA, CREDENTIAL, KEY, REPORT = (
    "backup-late",
    "backup-never",
    "plan-full",
    "new-credential",
    "key-change",
    "report",
)


@register(LATE, Topic.BACKUPS)
def late(values: Values) -> Letter:
    """Say that backups have stopped."""
    again = "Reminder: " if values["count"] > 1 else ""
    return Letter(
        subject=f"{again}“{values['name']}” has not been backed up since {values['last']}",
        lines=[
            f"The last backup of “{values['name']}” came on {values['last']}, and another one "
            f"should have come by {values['expected']}.",
            "Is the computer on, and on the network? Run a backup by hand on it: it says what is "
            "the matter. What was backed up before is safe.",
            "We remind you every week until a backup comes. If the computer is no longer used, "
            "retire it on its page.",
        ],
        facts=[("Last backup", values["last"]), ("Expected by", values["expected"])],
        link=_vault(values),
        is_urgent=True,
    )


@register(NEVER, Topic.BACKUPS)
def never(values: Values) -> Letter:
    """Say that a computer was added and never backed up."""
    return Letter(
        subject=f"“{values['name']}” is not backed up yet",
        lines=[
            f"“{values['name']}” was added on {values['added']}, and no backup of it has been "
            "completed since. Its page shows what to do on the computer.",
        ],
        link=_vault(values),
    )


@register(QUOTA, Topic.BACKUPS)
def quota(values: Values) -> Letter:
    """Say that the plan is nearly full, or full."""
    used = f"{values['used']} of {values['quota']}"
    if values["level"] >= 100:
        return Letter(
            subject="Your plan is full: new backups are refused",
            lines=[
                f"{used} are used, so nothing more can be stored. What is stored is safe, and "
                "restores work.",
                "To make room, remove old snapshots with a credential that may maintain the vault "
                "and prune, or choose a larger plan.",
            ],
            facts=[("Used", used)],
            link=_dashboard(),
            is_urgent=True,
        )
    return Letter(
        subject=f"Your plan is {values['level']} % full",
        lines=[
            f"{used} are used. When the plan is full, new backups are refused; what is stored "
            "stays, and restores work.",
            "A larger plan, or fewer old snapshots, make room in time.",
        ],
        facts=[("Used", used)],
        link=_dashboard(),
    )


@register(CREDENTIAL, Topic.SECURITY)
def credential(values: Values) -> Letter:
    """Say that somebody can get into a vault now."""
    return Letter(
        subject=f"A new credential for “{values['name']}”",
        lines=[
            f"{values['by']} made a credential for the vault “{values['name']}”. "
            f"It may: {values['may']}.",
            "If that was nobody of yours, revoke it on the vault's page now, and change the "
            "password of this website.",
        ],
        facts=[("User name", values["username"]), ("Made", values["at"])],
        link=_vault(values),
    )


@register(KEY, Topic.SECURITY)
def key(values: Values) -> Letter:
    """Say that a vault has another key, which another passphrase may open."""
    what = "was removed from" if values["removed"] else "was added to"
    return Letter(
        subject=f"A key {what} “{values['name']}”",
        lines=[
            f"At {values['at']} a key {what} the vault “{values['name']}” with the credential "
            f"{values['username']}. Whoever knows the passphrase of a key can read the vault.",
            "If that was nobody of yours, revoke that credential on the vault's page now.",
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
        subject = f"“{account}”: nothing is backed up yet"
        lines = ["There is no computer in this account yet. Add the first one on the website."]
    elif not bad:
        subject = f"“{account}”: all {good} protected" if good > 1 else f"“{account}”: protected"
        lines = ["Everything is backed up, with its copies in several places."]
    else:
        subject = f"“{account}”: {len(bad)} of {len(standings)} need you"
        lines = ["These are not protected as they should be:"]
        lines += [f"{name}: {word}. {reason}" for name, word, reason in bad[:20]]
        if len(bad) > 20:
            lines.append(f"And {len(bad) - 20} more; the website lists them.")
    return {
        "subject": subject,
        "lines": lines,
        "facts": [["Protected", f"{good} of {len(standings)}"], ["Used", f"{used} of {quota}"]],
    }


def _vault(values: Values) -> Link:
    return Link("Open the vault's page", f"{settings.SITE_URL}/vaults/{values['vault']}/")


def _dashboard() -> Link:
    return Link("Open your backups", f"{settings.SITE_URL}/dashboard/")
