from datetime import timedelta

import django.db.models.deletion
from django.db import migrations, models

import backup_service.clock

STATES = [
    ("active", "Active"),
    ("frozen", "Frozen: restores only"),
    ("closed", "Closed: restores only, until it is erased"),
    ("erased", "Erased, or being erased: nobody gets in"),
]


def close_as_now(apps, schema_editor):
    """Give accounts that were closed before a whole cooling-off, from now on."""
    now = backup_service.clock.now()
    closing = apps.get_model("accounts", "Closing")
    for account in apps.get_model("accounts", "Account").objects.filter(state="closed"):
        closing.objects.create(
            account=account,
            reason="unpaid",
            state_before="active",
            closed_at=now,
            erase_after=now + timedelta(days=30),
        )


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0010_audit_commitments"),
    ]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="state",
            field=models.CharField(choices=STATES, default="active", max_length=10),
        ),
        migrations.CreateModel(
            name="Closing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(choices=[("owner", "by its owner"), ("unpaid", "a payment was long overdue"), ("inactive", "nobody used it for a year"), ("operator", "by whoever runs the service")], max_length=10)),
                ("state_before", models.CharField(choices=STATES, max_length=10)),
                ("closed_at", models.DateTimeField()),
                ("erase_after", models.DateTimeField(help_text="Not before this moment, and a whole grace")),
                ("is_hastened", models.BooleanField(default=False, help_text="Staff have it erased at once")),
                ("step", models.CharField(choices=[("subscription", "Ending the subscription"), ("cooling", "Waiting: it can be opened again"), ("keys", "Destroying the vaults’ keys"), ("objects", "Removing what the vaults hold"), ("bytes", "Waiting for the last bytes to go"), ("payments", "Deleting the customer at Stripe"), ("letter", "Writing to its owners for the last time"), ("persons", "Erasing names, addresses and people"), ("ended", "Erased")], default="subscription", max_length=12)),
                ("ended_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0, help_text="In vain, since it last went on")),
                ("next_attempt_at", models.DateTimeField(default=backup_service.clock.now)),
                ("lease", models.CharField(blank=True, editable=False, max_length=32)),
                ("parked_at", models.DateTimeField(help_text="Given up, and waiting for staff", null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("account", models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name="closing", to="accounts.account")),
            ],
            options={
                "indexes": [models.Index(condition=models.Q(("ended_at", None), ("parked_at", None)), fields=["next_attempt_at"], name="closing_work")],
            },
        ),
        migrations.RunPython(close_as_now, migrations.RunPython.noop),
    ]
