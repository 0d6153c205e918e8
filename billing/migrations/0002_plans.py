"""The plans on offer. Bytes are decimal: 1 GB is 10^9."""

from django.db import migrations

GB = 10**9
PLANS = [
    dict(slug="free", name="Free", quota_bytes=5 * GB, device_limit=1, copies=2, rank=0),
    dict(
        slug="personal",
        name="Personal",
        quota_bytes=200 * GB,
        copies=2,
        month_cents=500,
        year_cents=5000,
        rank=1,
    ),
    dict(
        slug="plus",
        name="Plus",
        quota_bytes=500 * GB,
        copies=3,
        month_cents=1000,
        year_cents=10000,
        rooms=True,
        rank=2,
    ),
]


def seed(apps, schema_editor):
    plans = apps.get_model("billing", "Plan")
    for plan in PLANS:
        plans.objects.get_or_create(slug=plan["slug"], defaults=plan)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
