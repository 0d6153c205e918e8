"""Parts of a page that a small script renews by itself (`static/nightsafe/live.js`).

The page holds each part in an element that is marked with its name, and the version of all of them.
The script asks for the parts with that version, and mostly hears 304: nothing has changed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.html import format_html_join
from django.utils.safestring import SafeString


@dataclass(frozen=True)
class Parts:
    """Rendered parts by their names."""

    html: Mapping[str, SafeString]

    @property
    def version(self) -> str:
        """What differs whenever anything does, as an entity tag."""
        digest = hashlib.sha256(self.fragment().encode())
        return f'"{digest.hexdigest()[:32]}"'

    def fragment(self) -> SafeString:
        """Return all of them, each in an element with its name."""
        return format_html_join("\n", '<div data-part="{}">{}</div>', self.html.items())


def render_parts(
    request: HttpRequest, templates: Mapping[str, str], context: dict[str, Any]
) -> Parts:
    """Render parts, from their names and templates. No part may hold a form's token."""
    return Parts(
        {name: render_to_string(template, context, request) for name, template in templates.items()}
    )


def answer(request: HttpRequest, parts: Parts) -> HttpResponseBase:
    """Answer with the parts, or with 304 to somebody who has this version."""
    response = HttpResponse(parts.fragment())
    response["ETag"] = parts.version
    return get_conditional_response(request, etag=parts.version, response=response) or response
