"""The download page and the package index."""

import hashlib
import html
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from pytest_django import Settings

from backup_service.agent_packages.catalogue import Package
from tests.support.pages import Client, text
from tests.support.responses import Response

pytestmark = pytest.mark.django_db

LINUX: dict[str, Any] = {
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0"
}
WINDOWS: dict[str, Any] = {
    "HTTP_USER_AGENT": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0.0.0"
}


def lines(page: Response) -> list[str]:
    found = re.findall(r"<pre><code>(.*?)</code></pre>", page.content.decode(), re.S)
    return [html.unescape(line) for line in found]


def test_without_packages_nothing_is_promised(client: Client) -> None:
    page = client.get("/download/")
    assert "does not hand out the program yet" in text(page)
    assert lines(page) == []


def test_the_visitor_s_system_comes_first_and_all_are_there(
    client: Client, packages: list[Package]
) -> None:
    page = text(client.get("/download/", **WINDOWS))
    assert "Your browser says that this is Windows." in page
    assert '<a href="/download/?for=windows" aria-current="true">Windows</a>' in page
    for system in ("linux", "macos"):
        assert f'href="/download/?for={system}"' in page


def test_the_line_names_the_file_and_its_checksum(client: Client, packages: list[Package]) -> None:
    (source,) = [one for one in packages if one.is_source]
    assert (
        f'pipx install "nightsafe @ http://127.0.0.1:8000/download/files/{source.file}'
        f'#sha256={source.sha256}"'
    ) in lines(client.get("/download/?for=macos"))


def test_the_line_that_asks_nobody_else_is_for_the_wheel_s_system(
    client: Client, packages: list[Package]
) -> None:
    index = settings.SITE_URL + reverse("download_index")  # this service's own, no other host
    alone = f"pipx install --python python3.11 --index-url {index} nightsafe"
    assert alone in lines(client.get("/download/", **LINUX))
    assert alone not in lines(client.get("/download/", **WINDOWS))


def test_caches_keep_systems_apart(client: Client, packages: list[Package]) -> None:
    page = client.get("/download/", **LINUX)
    assert {"User-Agent", "Sec-CH-UA-Platform"} <= set(page["Vary"].split(", "))
    assert page["Accept-CH"] == "Sec-CH-UA-Platform"


def test_every_file_is_listed_with_what_it_hashes_to(
    client: Client, packages: list[Package]
) -> None:
    page = text(client.get("/download/"))
    for one in packages:
        assert (one.sha256 in page) == (one.project == "nightsafe")
        file = client.get(f"/download/files/{one.file}")
        content = file.getvalue()
        assert hashlib.sha256(content).hexdigest() == one.sha256
        assert file["Content-Type"] == "application/octet-stream"
        assert file["X-Content-Type-Options"] == "nosniff"


def test_the_index_is_as_pip_reads_it(client: Client, packages: list[Package]) -> None:
    assert 'href="nightsafe/"' in text(client.get("/download/simple/"))
    page = text(client.get("/download/simple/nightsafe/"))
    wheel = packages[0]
    assert f'href="/download/files/{wheel.file}#sha256={wheel.sha256}"' in page
    assert 'data-requires-python="&gt;=3.11"' in page
    assert client.get("/download/simple/django/").status_code == 404


@pytest.mark.parametrize("name", ["packages.json", "..%2Fsecret-key", "%2Fetc%2Fpasswd", "x"])
def test_nothing_else_is_handed_out(
    client: Client, packages: list[Package], settings: Settings, name: str
) -> None:
    Path(settings.DATA_DIR, "secret-key").write_text("secret")
    assert client.get(f"/download/files/{name}").status_code == 404
