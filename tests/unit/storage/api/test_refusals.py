"""Every refusal of the data protocol: a status that ends stock restic's run where a repeat cannot
mend it, and the cause in the status line, which is all that it shows."""

from http import HTTPStatus

import pytest
from django.test import RequestFactory

from storage import errors
from storage.api import restic
from storage.errors import (
    RefusedError,
)
from tests.unit.storage.conftest import Caller, sealed, sha, some

# What restic 0.18.0 and 0.19.1 do not try again; 507 is the newer one's alone.
ENDS = {401, 403, 404, 416, 507}


def kinds(kind: type[RefusedError] = RefusedError) -> list[type[RefusedError]]:
    below = [one for child in kind.__subclasses__() for one in kinds(child)]
    return [kind, *below]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_each_kind_says_whether_it_is_worth_a_repeat(
    kind: type[RefusedError],
) -> None:
    status = restic.refuse(RequestFactory().post("/"), kind("Because.")).status_code
    assert (status in ENDS) is not kind.can_mend
    assert status != HTTPStatus.CONFLICT


def test_those_that_a_client_can_mend() -> None:
    mended = {kind.__name__ for kind in kinds() if kind.can_mend}
    assert mended == {
        "BusyError",
        "CrowdedError",
        "DamagedError",
        "LengthRequiredError",
        "IncompleteBodyError",
        "TooSlowError",
        "HashMismatchError",
    }


@pytest.mark.parametrize(
    "text",
    ["Plain.", "two\r\nlines: X-Evil: yes\x00", "späte Grüße", "x" * 5000, "\ud800"],
)
def test_the_reason_is_one_line_of_ascii(text: str) -> None:
    response = restic.refuse(RequestFactory().post("/"), errors.ForbiddenError(text))
    assert response.reason_phrase.isascii()
    assert response.reason_phrase.isprintable()
    assert 0 < len(response.reason_phrase) <= restic.REASON_SIZE


@pytest.mark.django_db
def test_what_the_status_lines_say(setup: Caller, restore: Caller, bob: Caller) -> None:
    setup.post("config", sealed(b"sealed"))
    content = some()
    for response, said in [
        (setup.post("config", sealed(b"other")), "keeps it"),
        (restore.put(content), "can only restore"),
        (setup.delete("config"), "never removed"),
        (setup.delete(""), "scope maintain"),
        (setup.put(some(5000), "locks"), "at most 4096 bytes"),
        (setup.get("data/short"), "64 lower-case hexadecimal digits"),
        (bob.client.get(setup.url("data/")), "knows no such vault"),
        (setup.get(f"data/{sha(content)}"), "no object"),
    ]:
        assert response.status_code in {403, 404}
        assert said in response.reason_phrase
        assert said.encode() in response.content
