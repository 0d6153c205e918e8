"""What was noted in English is read in the reader's language, whatever stands in its gaps."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import translation

from accounts.models import Account
from accounts.templatetags.words import wish_in_words
from accounts.website.history import SENTENCES
from backup_service.env import BASE_DIR
from billing.entitlements import LONG_UNPAID
from storage import errors
from storage.events.refusal_wording import TEXTS, refusal_in_words
from storage.events.undelete_wording import outcome, outcome_in_words
from storage.models import Usage
from storage.vaults import quota

# What a customer can mend or wait for; the rest is for authors of programs, and is quoted.
FOR_CUSTOMERS = {
    *("ForbiddenError", "OverQuotaError", "StaleError", "TooManyError", "HashMismatchError"),
    *("BusyError", "CrowdedError", "TooSlowError", "DamagedError"),
}
WHERE = ("uploads", "vaults", "objects", "deletion")


def quoted(text: str) -> str:
    """Return a text as it is quoted to whoever reads German."""
    with translation.override("de"):
        return translation.gettext("the program was told “%(text)s”") % {"text": text}


def raised() -> Iterator[str]:
    """Yield the texts without figures that these refusals are raised with."""
    for folder in WHERE:
        for path in (BASE_DIR / "storage" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text))]):
                        if name in FOR_CUSTOMERS:
                            yield text


def test_what_customers_are_refused_is_told_in_their_language() -> None:
    texts = set(raised())
    assert len(texts) > 10
    with translation.override("de"):
        assert [text for text in texts if refusal_in_words(text) == quoted(text)] == []
        assert [text for text in TEXTS if translation.gettext(text) == text] == []


@pytest.mark.django_db
def test_figures_are_kept(account: Account) -> None:
    Usage.objects.create(account=account, live_bytes=1_234_000_000)
    with pytest.raises(errors.OverQuotaError) as told:
        quota.reserve_bytes(account, [5_600_000], quota.Allowance(10**9))
    with translation.override("de"):
        said = refusal_in_words(str(told.value))
    assert "1,2 GB von 1 GB sind belegt, und diese Übertragung von 5,6 MB " in said


def test_a_day_is_kept() -> None:
    until = datetime(2026, 5, 1, tzinfo=UTC)
    with translation.override("de"):
        said = refusal_in_words(LONG_UNPAID.format(until=until))
    assert "2026-05-01" in said
    assert "überfällig" in said


def test_what_is_for_authors_of_programs_is_quoted() -> None:
    assert refusal_in_words("`names` must be a list.") == "`names` must be a list."
    with translation.override("de"):
        assert refusal_in_words("`names` must be a list.") == quoted("`names` must be a list.")
        assert refusal_in_words("") == ""


@pytest.mark.parametrize(
    "figures",
    [
        {"objects": 1, "snapshots": 0},
        {"objects": 1234, "snapshots": 1, "lost": 2, "purged": 1},
        {"objects": 9, "snapshots": 3, "purged": 1000},
    ],
)
@pytest.mark.parametrize(
    ("wish", "german"),
    [
        ("1 chosen snapshot", "1 gewählter Snapshot"),
        ("3 chosen snapshots as of 2026-05-01 12:00:00 UTC", "3 gewählte Snapshots"),
        ("everything of 2026-05-01 12:00:00 UTC", "alles von 2026-05-01 12:00:00 UTC"),
        ("what the credential nsabc has removed since 2026-05-01 12:00:00 UTC", "nsabc"),
    ],
)
def test_what_came_back_is_told_anew(figures: dict[str, Any], wish: str, german: str) -> None:
    noted = outcome(what=wish, **figures)
    assert outcome_in_words(noted) == noted
    with translation.override("de"):
        assert german in wish_in_words(wish)
        assert outcome_in_words(noted) == outcome(what=wish_in_words(wish), **figures)


def test_what_came_back_before_is_told_anew() -> None:
    noted = "44 objects came back, 1 of them snapshots: 1 chosen snapshot."
    assert outcome_in_words(noted).startswith("44 objects are back, 1 snapshot among them.")
    with translation.override("de"):
        said = outcome_in_words(noted)
    assert said == (
        "44 Objekte sind wieder da, darunter 1 Snapshot. Verlangt war: 1 gewählter Snapshot."
    )


def test_every_line_of_the_audit_log_has_its_translation() -> None:
    with translation.override("de"):
        left = [verb for verb, form in SENTENCES.items() if translation.gettext(form) == form]
    assert left == []
