from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_placement")]
    operations = [
        migrations.AlterField("auditevent", "actor_label", models.CharField(max_length=254)),
    ]
