"""What pages about passkeys and browsers show."""

import json
from typing import Any

from django import template
from django.http import HttpRequest

from accounts.website.sign_in.relying_party import relying_party
from accounts.website.sign_in.user_agents import in_words

register = template.Library()


@register.filter
def as_json(value: Any) -> str:
    """Return a value as JSON, for an attribute that a script reads."""
    return json.dumps(value)


@register.filter
def agent_in_words(user_agent: str) -> str:
    """Return what a browser says of itself, in words."""
    return in_words(user_agent)


@register.simple_tag(takes_context=True)
def passkey_address(context: template.RequestContext) -> str:
    """Return where this page must be opened for passkeys to work, or "" if that is here."""
    request: HttpRequest = context["request"]
    there = relying_party().origin
    return "" if there == f"{request.scheme}://{request.get_host()}" else there + request.path
