"""Tables of what is counted beforehand, and of how far the comparison with the rows is."""

from django.db import models

from storage.models.vaults import Vault


class ObjectCount(models.Model):
    """How many objects of a vault are in one situation: a state, and where which copies are.

    Kept by `storage/counters/`, in the transactions that change the objects. Rows of nothing are
    left until they are swept. No constraint keeps them above zero: a wrong figure must not refuse
    a backup; the recount finds it.
    """

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="counts")
    state = models.CharField(max_length=10)
    copies = models.CharField(max_length=1000, help_text="As `counters/situation.py` spells them")
    objects_held = models.BigIntegerField(default=0)
    snapshots = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vault", "state", "copies"], name="one_count"),
        ]
        indexes = [
            models.Index(fields=["id"], name="count_empty", condition=models.Q(objects_held=0)),
        ]

    def __str__(self) -> str:
        return f"{self.objects_held} {self.state} of {self.vault_id}: {self.copies or 'no copy'}"


class Recount(models.Model):
    """The walk that compares the counts with the rows, of which there is one row."""

    cursor = models.BigIntegerField(default=0, help_text="The last vault that was compared")
    ended_at = models.DateTimeField(null=True)
    differed = models.IntegerField(default=0, help_text="Vaults that were wrong, when it ended")
    differed_so_far = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"recount at {self.cursor or 'its beginning'}"
