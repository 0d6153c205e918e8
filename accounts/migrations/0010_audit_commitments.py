"""Puts salted hashes of who and what into the audit log's chains; all rows are sealed anew."""

from django.db import migrations, models


def seal_anew(apps, schema_editor):
    apps.get_model("accounts", "AuditEvent").objects.update(number=None, digest="")
    apps.get_model("accounts", "AuditChain").objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0009_notice_device"),
    ]

    operations = [
        *(
            migrations.AddField(
                model_name="auditevent",
                name=f"{part}_{kind}",
                field=models.CharField(blank=True, default="", max_length=length),
                preserve_default=False,
            )
            for part in ("who", "what")
            for kind, length in (("salt", 32), ("digest", 64))
        ),
        migrations.RunPython(seal_anew, migrations.RunPython.noop),
    ]
