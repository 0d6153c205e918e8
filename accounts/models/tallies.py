"""Table of counts for metrics, which no other row tells."""

from django.db import models


class Tally(models.Model):
    """How often something of a kind has happened, since the service began.

    `labels` tell kinds apart, in Prometheus' form; there are few of each name.
    """

    name = models.CharField(max_length=40)
    labels = models.CharField(max_length=200, blank=True)
    count = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(fields=["name", "labels"], name="tally_of_its_labels"),
        ]

    def __str__(self) -> str:
        return f"{self.name}{{{self.labels}}}"
