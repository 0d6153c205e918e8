"""Reading rendered pages as a strict browser would."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import django.test

from tests.support.responses import Response

FORM = "application/x-www-form-urlencoded"


class Client(django.test.Client):
    """A client that sends forms as our pages' forms are sent; Django's sends many parts."""

    def post(  # type: ignore[override]  # of what Django takes, what our pages send
        self, path: str, data: Any = None, content_type: str = FORM, **extra: Any
    ) -> Any:
        if content_type == FORM and isinstance(data, dict):
            data = urlencode(data, doseq=True)
        return super().post(path, data or "", content_type, **extra)


def send_once(client: django.test.Client, path: str, data: dict[str, Any] | None = None) -> Any:
    """Open a page and send its form, with the value by which that is done once."""
    shown = client.get(path).content.decode()
    [value] = re.findall(r'name="once" value="([^"]+)"', shown)
    return client.post(path, {**(data or {}), "once": value})


class PageReader(HTMLParser):
    """Collects what a content security policy would refuse, and what a person could follow."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.links: list[str] = []
        self.forms: list[dict[str, str | None]] = []
        self.titles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "style" or "style" in values:
            self.refused.append(f"<{tag} style>")
        if tag == "script" and "src" not in values:
            self.refused.append("inline <script>")
        self.refused += [f"<{tag} {name}>" for name in values if name.startswith("on")]
        for name in ("src", "href", "action"):
            target = values.get(name) or ""
            if target.startswith(("javascript:", "//")):
                self.refused.append(f"<{tag} {name}={target}>")
            if tag != "a" and target.startswith("http"):
                self.refused.append(f"third party: <{tag} {name}={target}>")
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        if tag == "form":
            self.forms.append(values)
        self.titles += tag == "h1"


def read(response: Response) -> PageReader:
    reader = PageReader()
    reader.feed(response.content.decode())
    return reader


def text(response: Response) -> str:
    return " ".join(response.content.decode().split())
