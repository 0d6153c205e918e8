"""Has this computer connected by its owner, who confirms a code in a browser.

Source: RFC 8628. The service tells two codes; the short one is for its owner to type, with the long
one the agent asks again and again until that was done.
"""

import contextlib
import time
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from nightsafe.backend.connections import NETWORK_ERRORS, Connections, explain
from nightsafe.backend.http_client import is_framed, read_body
from nightsafe.backend.rest_responses import TransientError, is_safe
from nightsafe.backend.rest_url import Credential, RemoteUrl
from nightsafe.errors import (
    AccessRefusedError,
    SettingsError,
    StorageError,
    UnreachableError,
    ended,
)
from nightsafe.version import __version__

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
_CODE, _TOKEN = "api/v1/device/code", "api/v1/device/token"
_FORM = "application/x-www-form-urlencoded"
_LIMIT = 1 << 16  # bytes of an answer
_MAX_SECONDS = 3600.0
_SLOWER = 5.0  # seconds, whenever the service says that it is asked too often
_NOT_HERE = (
    "{site} does not answer as Nightsafe's website does. Give the address of the website, as it "
    "stands in the browser."
)


class Codes(NamedTuple):
    """What to show and what to ask with. Times are in seconds."""

    user_code: str
    page: str
    device_code: str
    interval: float
    lifetime: float


class Connected(NamedTuple):
    """A vault's address and the new credential for it."""

    url: str
    credential: Credential


class DeviceLogin:
    """Speaks to the website at `site`, with a final slash. Close it at the end."""

    def __init__(self, site: str, *, patience: float, cacert: str = "") -> None:
        self._site = site
        self._patience = patience
        self._connections = Connections(patience, cacert)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def begin(self, computer: str) -> Codes:
        """Ask for codes. Raises StorageError if the site is none of Nightsafe's."""
        said = {"client_id": f"nightsafe {__version__}", "computer": computer[:100]}
        try:
            status, answer = self._post(_CODE, said)
        except TransientError as error:
            raise UnreachableError(ended(f"{self._site} cannot be reached: {error}")) from None
        if status == 429:
            raise UnreachableError(_text(answer, "error_description") or "Try again in an hour.")
        codes = Codes(
            _text(answer, "user_code"),
            _text(answer, "verification_uri"),
            _text(answer, "device_code"),
            _number(answer, "interval", 5.0),
            _number(answer, "expires_in", 600.0),
        )
        if status != 200 or not all(codes[:3]) or not is_safe(self._site, codes.page):
            raise StorageError(_NOT_HERE.format(site=self._site))
        return codes

    def wait(self, codes: Codes) -> Connected:
        """Ask until the owner has decided. Raises AccessRefusedError if it comes to nothing."""
        end, interval = time.monotonic() + codes.lifetime, codes.interval
        while time.monotonic() < end:
            time.sleep(interval)
            try:
                status, answer = self._post(
                    _TOKEN, {"grant_type": GRANT_TYPE, "device_code": codes.device_code}
                )
            except TransientError:
                continue  # a network that is away for a moment
            if status == 200:
                return self.read(answer)
            match _text(answer, "error"):
                case "authorization_pending":
                    pass
                case "slow_down":
                    interval += _SLOWER
                case "access_denied":
                    raise AccessRefusedError("It was refused on the website; nothing was stored.")
                case "expired_token":
                    break
                case _ if status < 500:
                    raise StorageError(_NOT_HERE.format(site=self._site))
        raise AccessRefusedError(
            "Nobody confirmed the code in time; nothing was stored. Run `nightsafe login` again."
        )

    def read(self, answer: dict[str, Any]) -> Connected:
        """Return what an answer to `wait` brings. Raises StorageError if it brings nothing safe."""
        username, secret = _text(answer, "username"), answer.get("access_token")
        try:
            url = RemoteUrl.parse(_text(answer, "repository")).url
        except SettingsError:
            url = ""
        if not username or not isinstance(secret, str) or not is_safe(self._site, url):
            raise StorageError(_NOT_HERE.format(site=self._site))
        return Connected(url, Credential(username, secret))

    def _post(self, path: str, said: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return status and answer; the answer is empty if it is no object of JSON."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        body = urlencode(said, errors="replace").encode()
        try:
            response = self._connections.send("POST", self._site + path, headers, body)
            with contextlib.closing(response):
                if not is_framed(response):
                    raise TransientError("the connection broke off")
                text = read_body(response, _LIMIT)
        except NETWORK_ERRORS as error:
            raise explain(error, self._site) from error
        if response.status in (502, 503, 504):
            raise TransientError(f"the server answers {response.status}", has_response=True)
        try:
            answer = orjson.loads(text)
        except orjson.JSONDecodeError:
            answer = None
        return response.status, answer if isinstance(answer, dict) else {}


def _text(answer: dict[str, Any], name: str) -> str:
    """Return a text that is fit to be shown, or an empty one."""
    value = answer.get(name)
    return value if isinstance(value, str) and value.isprintable() else ""


def _number(answer: dict[str, Any], name: str, default: float) -> float:
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return default
    return min(float(value), _MAX_SECONDS)
