"""Count every account's objects, and what is held for uploads, at no less than the floor."""

from typing import Any

from django.db import migrations
from django.db.models import F, Sum, Value
from django.db.models.functions import Greatest

FLOOR = 4096  # bytes, of each object


def recount(apps: Any, schema_editor: Any) -> None:
    Usage, StoredObject, Reservation = (
        apps.get_model("storage", name) for name in ("Usage", "StoredObject", "Reservation")
    )
    Reservation.objects.filter(size__lt=FLOOR).update(size=FLOOR)
    for usage in Usage.objects.all():
        held = StoredObject.objects.filter(vault__account=usage.account_id)
        live, gone = (
            held.filter(state__in=states).aggregate(n=Sum(Greatest(F("size"), Value(FLOOR))))["n"]
            for states in (["live", "lost"], ["tombstoned", "purging"])
        )
        reserved = Reservation.objects.filter(account=usage.account_id).aggregate(n=Sum("size"))
        Usage.objects.filter(pk=usage.pk).update(
            live_bytes=live or 0, tombstoned_bytes=gone or 0, reserved_bytes=reserved["n"] or 0
        )


class Migration(migrations.Migration):
    dependencies = [("storage", "0006_lock_figures")]
    operations = [migrations.RunPython(recount, migrations.RunPython.noop)]
