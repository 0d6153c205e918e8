"""Menus say where one is, and offer only what is there."""

import re

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from accounts.models import Account
from tests.support.pages import Client, text
from tests.unit.website.conftest import client_of, person


def item(path: str, arguments: str) -> str:
    page = Template("{% load navigation %}{% nav_item " + arguments + " %}")
    return page.render(Context({"request": RequestFactory().get(path)}))


def test_the_page_itself_is_marked() -> None:
    assert item("/pricing/", '"Pricing" "pricing"') == (
        '<li><a href="/pricing/" aria-current="page">Pricing</a></li>'
    )


def test_pages_below_mark_the_section() -> None:
    assert 'aria-current="true"' in item("/docs/restore/", '"Help" "docs"')
    assert 'aria-current="true"' in item("/vaults/x/", '"Backups" "dashboard" also="/vaults/"')
    assert "aria-current" not in item("/status/", '"Help" "docs"')


def test_the_first_page_is_no_section_of_all_others() -> None:
    assert "aria-current" not in item("/pricing/", '"Home" "landing"')


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/settings/", "/settings/members/", "/settings/tokens/"])
def test_of_the_settings_only_the_page_one_is_on_is_marked(account: Account, path: str) -> None:
    page = text(client_of(account.memberships.get().user).get(path))
    menu = page.split('class="side"')[1].split("</nav>")[0]
    assert re.findall(r'href="([^"]+)" aria-current="(\w+)"', menu) == [(path, "page")]


def test_what_is_not_there_is_not_offered() -> None:
    assert item("/", '"Nothing" "no_such_route"') == ""
    assert "/pricing/" in item("/", '"Pricing" "no_such_route" "pricing"')


def test_labels_are_no_markup() -> None:
    page = Template('{% load navigation %}{% nav_item label "pricing" %}')
    assert "&lt;b&gt;" in page.render(Context({"label": "<b>"}))


def test_it_works_without_a_request() -> None:
    page = Template('{% load navigation %}{% nav_item "Pricing" "pricing" %}')
    assert page.render(Context()) == '<li><a href="/pricing/">Pricing</a></li>'


@pytest.mark.django_db
def test_staff_have_their_pages_in_the_menu(alice: Client) -> None:
    assert 'href="/admin/"' not in text(alice.get("/dashboard/"))
    sam = client_of(person("sam@example.org", is_staff=True))
    assert 'href="/admin/"' in text(sam.get("/pricing/"))


@pytest.mark.django_db
def test_long_addresses_are_whole_for_whoever_asks(client: Client) -> None:
    email = f"{'a' * 60}@example.org"
    page = text(client_of(person(email)).get("/pricing/"))
    assert f'title="{email}"' in page
