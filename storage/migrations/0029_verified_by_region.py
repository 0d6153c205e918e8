"""Two indexes that fit what is asked for, built while everything else goes on where that can be."""

from typing import Any

from django.db import migrations, models


class AddIndex(migrations.AddIndex):
    """Adds an index, on PostgreSQL without keeping anybody from the table meanwhile."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Build it."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.add_index(model, self.index, **_beside(schema_editor))


class RemoveIndex(migrations.RemoveIndex):
    """Removes an index, likewise."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Drop it."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            index = from_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
            schema_editor.remove_index(model, index, **_beside(schema_editor))


def _beside(schema_editor: Any) -> dict[str, bool]:
    return {"concurrently": True} if schema_editor.connection.vendor == "postgresql" else {}


class Migration(migrations.Migration):
    atomic = False  # which PostgreSQL wants for that

    dependencies = [("storage", "0028_object_counts")]

    operations = [
        AddIndex(
            "attempt",
            models.Index(
                fields=["state", "due_at"],
                name="attempt_due",
                condition=~models.Q(state="stored"),
            ),
        ),
        AddIndex(
            "replica",
            models.Index(
                fields=["region", "verified_at"],
                name="replica_verified",
                condition=models.Q(state="stored"),
            ),
        ),
        RemoveIndex("attempt", "attempt_sweep"),
        RemoveIndex("replica", "replica_scrub"),
    ]
