"""The shapes of what the API tells about what was removed and comes back."""

from rest_framework import serializers

from accounts.customer_api.schema import Shape, example, page_of


@example(
    {
        "objects": 120,
        "snapshots": 3,
        "bytes": 9_000_000,
        "purged": 0,
        "keys_left_out": 0,
        "over_quota": 0,
    }
)
class UndeletePlanShape(Shape):
    """What would come back now."""

    objects = serializers.IntegerField()
    snapshots = serializers.IntegerField(help_text="Of the objects")
    bytes = serializers.IntegerField()
    purged = serializers.IntegerField(help_text="Objects that are gone for good")
    keys_left_out = serializers.IntegerField(
        help_text="Keys that stay removed, since another one of then still opens the vault"
    )
    over_quota = serializers.IntegerField(
        help_text="Bytes by which the account would be over its quota, and so store nothing new"
    )


@example(
    {
        "id": 3,
        "what": "everything of 2026-05-01 11:59:59 UTC",
        "by": "restoring",
        "created_at": "2026-05-01T12:30:00Z",
        "ended_at": None,
        "expected": 120,
        "objects": 80,
        "snapshots": 0,
        "bytes": 6_000_000,
        "lost": 0,
        "purged": 0,
        "text": "80 objects are back. Asked for: everything of 2026-05-01 11:59:59 UTC.",
    }
)
class UndeleteShape(Shape):
    """Something that was brought back, or is being brought back. Snapshots come last."""

    id = serializers.IntegerField()
    what = serializers.CharField()
    by = serializers.CharField(help_text="Who asked for it")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null while it goes on")
    expected = serializers.IntegerField(help_text="Objects, when it was asked for")
    objects = serializers.IntegerField(help_text="That came back so far")
    snapshots = serializers.IntegerField(help_text="Of these")
    bytes = serializers.IntegerField(help_text="Of these")
    lost = serializers.IntegerField(help_text="Of these, without any good copy")
    purged = serializers.IntegerField(help_text="Were gone for good; known at the end")
    text = serializers.CharField(help_text="The same in words")


@example({"was_at_risk": True})
class AcceptedShape(Shape):
    """What was accepted."""

    was_at_risk = serializers.BooleanField(help_text="False where there was nothing to accept")


UndeletePage = page_of(UndeleteShape)
