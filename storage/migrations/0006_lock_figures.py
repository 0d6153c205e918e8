"""Count the locks that are there, and let each run begin where its credential last saw the index."""

from typing import Any

from django.db import migrations
from django.db.models import Count, OuterRef, Subquery, Sum
from django.db.models.functions import Length

LARGEST = 4096  # bytes, as from now on; no client's lock comes near it


def count(apps: Any, schema_editor: Any) -> None:
    Lock, Vault, Usage, Credential = (
        apps.get_model("storage", name) for name in ("Lock", "Vault", "Usage", "Credential")
    )
    Lock.objects.annotate(length=Length("body")).filter(length__gt=LARGEST).delete()
    seen = Credential.objects.filter(pk=OuterRef("credential")).values("index_seen")[:1]
    Lock.objects.update(since=Subquery(seen))
    of_accounts: dict[int, list[int]] = {}
    rows = Lock.objects.annotate(length=Length("body")).values("vault", "vault__account")
    for row in rows.annotate(n=Count("pk"), total=Sum("length")).order_by():
        Vault.objects.filter(pk=row["vault"]).update(locks_held=row["n"], lock_bytes=row["total"])
        figures = of_accounts.setdefault(row["vault__account"], [0, 0])
        figures[0] += row["n"]
        figures[1] += row["total"]
    for account, (number, total) in of_accounts.items():
        Usage.objects.get_or_create(account_id=account)
        Usage.objects.filter(account=account).update(locks_held=number, lock_bytes=total)


class Migration(migrations.Migration):
    dependencies = [("storage", "0005_locks")]
    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
