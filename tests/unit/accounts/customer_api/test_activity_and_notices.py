"""The API about the audit log, notices, mails and the customer's own systems."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from accounts.access import Seat
from accounts.actions import rename_account
from accounts.audit import Actor
from accounts.models import AuditEvent, Delivery, Device, Endpoint, MailPreference
from accounts.notifications.notify import notify
from accounts.notifications.registry import kinds
from accounts.notifications.tokens import shown_key
from backup_service import clock
from tests.support.customers.api import Program
from tests.unit.accounts.customer_api.test_people import of

pytestmark = pytest.mark.django_db
HOOK = {
    "kind": "webhook",
    "name": "Pager",
    "url": "https://example.org/hook",
    "topics": ["backups", "backups", "security"],
}


def actions(program: Program, query: str = "") -> list[str]:
    told = program.get(f"activity/?{query}")
    assert told.status_code == 200, told.content
    return [one["action"] for one in told.json()["results"]]


class TestActivity:
    """What was done."""

    def test_by_action_actor_and_time(self, olga: Seat) -> None:
        program = of(olga, "read")
        rename_account(olga.account, name="Home", actor=Actor.person(olga.user))
        assert actions(program) == ["account.rename", "token.create", "account.open"]
        assert actions(program, "action=account") == ["account.rename", "account.open"]
        assert actions(program, "action=account.rename") == ["account.rename"]
        assert actions(program, "action=accou") == []
        assert actions(program, "by=service") == ["token.create"]
        assert actions(program, "person=OLGA@example.org") == ["account.rename", "account.open"]
        later = (clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert actions(program, f"since={later}") == []
        assert len(actions(program, f"until={later}")) == 3
        page = program.get("activity/?limit=1&action=account").json()
        following = program.get(page["next"].removeprefix("http://127.0.0.1:8000")).json()
        assert [one["action"] for one in following["results"]] == ["account.open"]

    @pytest.mark.parametrize(
        "query", ["since=yesterday", "by=king", "action=%00", "until=0001-01-01T00:00:00%2B14:00"]
    )
    def test_what_no_filter_takes(self, olga: Seat, query: str) -> None:
        for path in ("activity/", "activity/export.csv"):
            assert of(olga).get(f"{path}?{query}").status_code == 400

    def test_as_a_table(self, olga: Seat) -> None:
        rename_account(olga.account, name="=1+1", actor=Actor.person(olga.user))
        told = of(olga, "read").get("activity/export.csv?action=account")
        assert told["Content-Type"].startswith("text/csv")
        assert "RateLimit" in told
        text = b"".join(told.streaming_content).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["verb"] for row in rows] == ["account.rename", "account.open"]

    def test_members_see_what_they_did_themselves(self, olga: Seat, mia: Seat, axel: Seat) -> None:
        rename_account(olga.account, name="Home", actor=Actor.person(olga.user))
        assert actions(of(mia), "action=account") == []
        assert actions(of(axel), "action=account") == ["account.rename", "account.open"]
        for path in ("activity/", "activity/export.csv", "notices/"):
            assert of(olga, "billing").get(path).status_code == 403

    def test_staff_are_not_named(self, olga: Seat, mia: Seat) -> None:
        rename_account(olga.account, name="Home", actor=Actor.staff(mia.user, address="192.0.2.9"))
        told = of(olga, "read").get("activity/?limit=2")
        entry = next(one for one in told.json()["results"] if one["action"] == "account.rename")
        assert (entry["by"], entry["who"]) == ("staff", "the service's staff")
        assert (entry["address"], entry["credential"]) == ("", "")
        assert "mia@example.org" not in str(entry)


class TestNotices:
    """What people were told."""

    def test_every_member_sees_what_is_theirs(self, olga: Seat, mia: Seat) -> None:
        assert "new-credential" in {kind.slug for kind in kinds()}
        said: dict[str, Any] = dict.fromkeys(("vault", "username", "may", "by", "at"), "x")
        said["name"] = "laptop"
        device = Device.objects.create(account=olga.account, name="m", member=mia.membership)
        notify(olga.account, "new-credential", key="1", **said)
        notify(olga.account, "new-credential", key="2", device=device, **said)
        told = of(olga, "read").get("notices/").json()["results"]
        assert [one["device"] for one in told] == [device.public_id, None]
        assert told[0]["topic"] == "security"
        assert "laptop" in told[0]["subject"] + told[0]["text"]
        seen = of(mia, "read").get("notices/").json()["results"]
        assert [one["device"] for one in seen] == [device.public_id]

    def test_mails(self, olga: Seat, mia: Seat) -> None:
        program = of(mia)
        told = program.get("notifications/").json()
        assert told["reports"] == "never"
        assert (told["backups"], told["security"], told["is_reachable"]) == (False, False, True)
        changed = program.ask("PATCH", "notifications/", {"reports": "weekly"})
        assert changed.json() == told | {"reports": "weekly"}
        assert MailPreference.objects.get().membership == mia.membership
        assert program.ask("PATCH", "notifications/", {"reports": "hourly"}).status_code == 400
        assert of(mia, "read").ask("PATCH", "notifications/", {}).status_code == 403
        assert of(olga).get("notifications/").json()["security"] is True


class TestEndpoints:
    """The customer's own systems."""

    def test_from_beginning_to_end(self, olga: Seat) -> None:
        program = of(olga)
        made = program.post("endpoints/", HOOK, idempotency_key="e-1")
        assert made.status_code == 201
        endpoint, path = Endpoint.objects.get(), f"endpoints/{made.json()['id']}/"
        assert made.json()["key"] == shown_key(endpoint)
        assert made.json()["topics"] == ["backups", "security"]
        assert program.post("endpoints/", HOOK, idempotency_key="e-1").json()["key"] is None
        assert (
            "whsec_" not in (program.get("endpoints/").content + program.get(path).content).decode()
        )
        changed = program.ask("PATCH", path, HOOK | {"name": "Other", "topics": ["billing"]})
        assert (changed.json()["name"], changed.json()["topics"]) == ("Other", ["billing"])
        rotated = program.post(f"{path}key/")
        assert rotated.json()["key"] not in (None, made.json()["key"])
        assert program.post(f"{path}test/").status_code == 202
        soon = program.post(f"{path}test/")
        assert (soon.status_code, soon.json()["code"]) == (409, "too-soon")
        Delivery.objects.update(state="failed", error="no answer came")
        (sent,) = program.get(f"{path}deliveries/").json()["results"]
        assert (sent["kind"], sent["state"]) == ("test", "failed")
        assert program.post(f"{path}deliveries/").json() == {"deliveries": 1}
        assert Delivery.objects.get().state == "waiting"
        assert program.ask("DELETE", path).status_code == 204
        assert program.get(path).status_code == 404
        assert AuditEvent.objects.latest("pk").verb == "endpoint.remove"

    @pytest.mark.parametrize(
        ("field", "value"),
        [("url", "ftp://example.org"), ("kind", "pigeon"), ("topics", ["all"]), ("name", "")],
    )
    def test_what_is_wrong(self, olga: Seat, field: str, value: object) -> None:
        told = of(olga).post("endpoints/", HOOK | {field: value})
        assert told.status_code == 400
        assert told.json()["errors"][0]["field"].split(".")[0] == field
        assert not Endpoint.objects.exists()

    def test_how_many_there_may_be(self, olga: Seat) -> None:
        program = of(olga)
        for number in range(11):
            told = program.post("endpoints/", HOOK | {"name": str(number)})
            assert told.status_code == (201 if number < 10 else 409)

    def test_what_is_pushed_has_no_key(self, olga: Seat) -> None:
        made = of(olga).post("endpoints/", HOOK | {"kind": "push"}).json()
        assert made["key"] is None
        assert of(olga).post(f"endpoints/{made['id']}/key/").status_code == 409

    def test_members_have_none(self, mia: Seat, axel: Seat) -> None:
        for seat in (mia, axel):
            assert of(seat).post("endpoints/", HOOK).status_code == 403
            assert of(seat).get("endpoints/").status_code == 403
