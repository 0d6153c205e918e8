"""The visitor's system, from what browsers really send."""

import pytest
from django.http.request import HttpHeaders

from backup_service.pages.systems import System, system_of

GECKO = "Gecko/20100101 Firefox/145.0"
KIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("agent", "system"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) {GECKO}", System.LINUX),
        (f"Mozilla/5.0 (X11; Linux x86_64) {KIT} Safari/537.36", System.LINUX),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KIT} Safari/537.36", System.MACOS),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT} Safari/537.36", System.WINDOWS),
        (f"Mozilla/5.0 (Linux; Android 10; K) {KIT} Mobile Safari/537.36", None),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15", None),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {KIT} Safari/537.36", None),
        ("curl/8.11.0", None),
        ("", None),
    ],
)
def test_user_agents(agent: str, system: System | None) -> None:
    assert system_of(HttpHeaders({"HTTP_USER_AGENT": agent})) is system


@pytest.mark.parametrize(
    ("hint", "system"),
    [('"Linux"', System.LINUX), ('"macOS"', System.MACOS), ('"Windows"', System.WINDOWS)],
)
def test_client_hints_come_first(hint: str, system: System) -> None:
    headers = HttpHeaders({"HTTP_SEC_CH_UA_PLATFORM": hint, "HTTP_USER_AGENT": "Android"})
    assert system_of(headers) is system


def test_a_phone_that_says_so_by_hint_is_none_of_ours() -> None:
    headers = HttpHeaders({"HTTP_SEC_CH_UA_PLATFORM": '"Android"', "HTTP_USER_AGENT": "Linux"})
    assert system_of(headers) is None


def test_what_the_visitor_chooses_counts_most() -> None:
    headers = HttpHeaders({"HTTP_SEC_CH_UA_PLATFORM": '"Linux"'})
    assert system_of(headers, "windows") is System.WINDOWS
    assert system_of(headers, "../etc/passwd") is System.LINUX
