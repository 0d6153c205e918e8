"""What notices are about; members choose by topic what they are mailed."""

from django.db.models import TextChoices
from django.utils.translation import gettext_noop


class Topic(TextChoices):
    """A group of notices. `SECURITY` cannot be turned off."""

    BACKUPS = "backups", gettext_noop("Backups: late, refused, removed, nearly out of room")
    BILLING = "billing", gettext_noop("Payments and the plan")
    SECURITY = "security", gettext_noop("Security: new computers, credentials, sign-ins")
    REPORTS = "reports", gettext_noop("Reports: how your backups stand, every week or month")


class ReportRhythm(TextChoices):
    """How often a member gets a report."""

    NEVER = "never", gettext_noop("Never")
    WEEKLY = "weekly", gettext_noop("Every week")
    MONTHLY = "monthly", gettext_noop("Every month")
