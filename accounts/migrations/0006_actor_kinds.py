from django.db import migrations
from django.db.models import Exists, OuterRef

# What the rows before this said by their label alone.
LABELS = {
    "operator at the command line": "operator",
    "the service itself": "service",
}


def tell_kinds(apps, schema_editor):
    events = apps.get_model("accounts", "AuditEvent").objects.all()
    seats = apps.get_model("accounts", "Membership").objects.filter(
        account=OuterRef("account"), user=OuterRef("actor")
    )
    for label, kind in LABELS.items():
        events.filter(actor=None, actor_label=label).update(actor_kind=kind)
    people = events.exclude(actor=None)
    people.update(actor_kind="person")
    # As the activity page told them until now: staff without a seat in the account.
    people.filter(~Exists(seats), actor__is_staff=True).update(actor_kind="staff")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_audit_chain")]
    operations = [migrations.RunPython(tell_kinds, migrations.RunPython.noop)]
