"""Words that the code or the database holds, in the language of the page."""

from django import template
from django.utils.translation import gettext

register = template.Library()


@register.filter
def in_words(text: object) -> str:
    """Return a role, a label of a choice or another fixed text in the reader's language."""
    return gettext(str(text)) if text else ""
