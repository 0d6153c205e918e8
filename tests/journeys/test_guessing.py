"""Two hundred guesses at once, at a real site with a real Valkey: the limit holds to the last."""

import http.cookiejar
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

import pytest

from tests.journeys.conftest import StartService

pytestmark = pytest.mark.journey

GUESSES = 200
ALLOWED = 5  # in five minutes, at one address to sign in with


class Guesser:
    """A browser of its own, which comes from an address of its own."""

    def __init__(self, site: str, address: str) -> None:
        self._site, self._headers = site, {"X-Forwarded-For": address}
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def fetch(self, form: dict[str, str] | None = None) -> str:
        """Get the page to sign in, or send its form; return the page, whatever the status."""
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(f"{self._site}/accounts/login/", data, self._headers)
        try:
            with self._opener.open(request, timeout=120) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return f"{refusal.code} {refusal.read().decode()}"

    def token(self) -> str:
        """Return the token of the page's form."""
        [token, *_] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.fetch())
        return str(token)


def guess_at_once(site: str, login: str) -> Counter[str]:
    """Send all guesses together; count what came of them."""
    guessers = [Guesser(site, f"10.0.{n // 250}.{n % 250 + 1}") for n in range(GUESSES)]
    tokens = [guesser.token() for guesser in guessers]
    gate, seen = threading.Barrier(GUESSES), Counter[str]()

    def guess(guesser: Guesser, token: str) -> None:
        gate.wait(60)
        form = {"csrfmiddlewaretoken": token, "login": login, "password": "wrong-wrong-wrong"}
        page = guesser.fetch(form)
        words = ("do not belong together", "Too many attempts")
        seen[next((word for word in words if word in page), page[:200])] += 1

    threads = [
        threading.Thread(target=guess, args=pair) for pair in zip(guessers, tokens, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def test_two_hundred_guesses_at_once(own_service: StartService) -> None:
    service = own_service(NIGHTSAFE_TRUSTED_PROXIES="1").start()
    service.manage("account", "create", "--email", "dora@example.org", "--json")
    seen = guess_at_once(service.url, "dora@example.org")
    assert seen == {"do not belong together": ALLOWED, "Too many attempts": GUESSES - ALLOWED}

    # Without Valkey sign-in goes on, and guessing is still limited, if not to the very one.
    service.kill("valkey")
    seen = guess_at_once(service.url, "erin@example.org")
    assert set(seen) == {"do not belong together", "Too many attempts"}
    assert seen["do not belong together"] <= 4 * ALLOWED
