"""What notices are about; members choose by topic what they are mailed."""

from django.db.models import TextChoices


class Topic(TextChoices):
    """A group of notices. `SECURITY` cannot be turned off."""

    BACKUPS = "backups", "Backups: late, refused, removed, nearly out of room"
    BILLING = "billing", "Payments and the plan"
    SECURITY = "security", "Security: new computers, credentials, sign-ins"
    REPORTS = "reports", "Reports: how all is, every week or month"


class ReportRhythm(TextChoices):
    """How often a member gets a report."""

    NEVER = "never", "Never"
    WEEKLY = "weekly", "Every week"
    MONTHLY = "monthly", "Every month"
