"""The field of a form for what something or somebody is called."""

from typing import Any

from django import forms

from accounts.texts import one_line


class NameField(forms.CharField):
    """A text that is made one line."""

    def to_python(self, value: Any) -> str:
        """Return the name, empty where nothing of it can be seen."""
        return one_line(super().to_python(value) or "")
