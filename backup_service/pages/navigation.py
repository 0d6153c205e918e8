"""Template tags for menus: links that know whether they lead to the page that is being shown."""

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def nav_item(
    context: dict[str, Any], label: str, *names: str, also: str = "", below: bool = True
) -> SafeString | str:
    """Return a list item with a link to the first of these routes that there is, or nothing.

    The link is marked as current on its own page, and as the present section on pages below it,
    unless those have links of their own in the same menu (`below=False`). `also` names further
    beginnings of addresses of that section, with spaces between.
    """
    address = _address(names)
    if not address:
        return ""
    request = context.get("request")  # none on the page that says that something broke
    path = request.path if request is not None else ""
    is_section = below and address != "/"
    sections = [address, *also.split()] if is_section else also.split()
    current = ""
    if path == address:
        current = "page"
    elif any(path.startswith(section) for section in sections):
        current = "true"
    mark = format_html(' aria-current="{}"', current) if current else ""
    return format_html('<li><a href="{}"{}>{}</a></li>', address, mark, label)


def _address(names: tuple[str, ...]) -> str:
    for name in names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""
