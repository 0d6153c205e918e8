"""Date the plan of those who had one before it was dated."""

from django.db import migrations
from django.db.models import F


def date_plans(apps, schema_editor):
    apps.get_model("billing", "Subscription").objects.update(plan_since=F("started_at"))


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_stripe_and_grants")]
    operations = [migrations.RunPython(date_plans, migrations.RunPython.noop)]
