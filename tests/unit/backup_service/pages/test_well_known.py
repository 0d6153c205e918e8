"""What programs ask every site for."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from pytest_django import Settings

from backup_service import clock
from tests.support.pages import Client

pytestmark = pytest.mark.django_db


def test_crawlers_are_kept_from_what_is_nobody_s_business(client: Client) -> None:
    answer = client.get("/robots.txt")
    assert answer["Content-Type"].startswith("text/plain")
    lines = answer.content.decode().splitlines()
    assert "Disallow: /accounts/" in lines
    assert "Disallow: /" not in lines
    assert lines[-1] == "Sitemap: http://127.0.0.1:8000/sitemap.xml"


def test_every_page_of_the_sitemap_is_there_and_may_be_listed(client: Client) -> None:
    answer = client.get("/sitemap.xml")
    tree = ElementTree.fromstring(answer.content)
    pages = [str(found.text) for found in tree.findall(".//{*}loc")]
    assert len(pages) == len(set(pages)) > 10
    for address in pages:
        page = client.get(address.removeprefix("http://127.0.0.1:8000"))
        assert page.status_code == 200
        assert "noindex" not in page.content.decode()
        assert '<meta name="description"' in page.content.decode()


def test_nobody_to_tell_means_no_security_txt(client: Client) -> None:
    assert client.get("/.well-known/security.txt").status_code == 404


def test_security_txt_is_as_rfc_9116_has_it(client: Client, settings: Settings) -> None:
    contact = "mailto:security@example.org"
    settings.OPERATOR = {**settings.OPERATOR, "security_contact": contact}
    text = client.get("/.well-known/security.txt").content.decode()
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    assert fields["Contact"] == contact
    assert fields["Canonical"] == "http://127.0.0.1:8000/.well-known/security.txt"
    expires = datetime.strptime(fields["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(days=30) < expires - clock.now() < timedelta(days=365)
    assert re.search(r"<a href=\"mailto:security@", client.get("/security/").content.decode())


def test_the_favicon_is_where_old_browsers_look(client: Client) -> None:
    assert client.get("/favicon.ico")["Location"] == "/static/nightsafe/favicon.ico"
