"""The API about members, invitations and tokens: a program never may more than its maker."""

import pytest
from django.core import mail

from accounts.access import Seat
from accounts.audit import SERVICE
from accounts.models import ApiToken, AuditEvent, Device, Invitation, Membership
from accounts.tokens import tokens
from tests.support.customers.api import Program
from tests.unit.website.conftest import owner

pytestmark = pytest.mark.django_db


def of(seat: Seat, scope: str = "write") -> Program:
    return Program(tokens.create(seat.membership, scope=scope, label="test", actor=SERVICE).text)


def role_of(seat: Seat) -> str:
    return Membership.objects.get(pk=seat.membership.pk).role


class TestMembers:
    """Who has a seat."""

    def test_everybody_sees_them(self, olga: Seat, mia: Seat, axel: Seat) -> None:
        for seat in (olga, mia, axel):
            told = of(seat, "read").get("members/").json()["results"]
            assert [(one["email"], one["role"]) for one in told] == [
                ("axel@example.org", "auditor"),
                ("mia@example.org", "member"),
                ("olga@example.org", "owner"),
            ]

    def test_another_role_and_removal(self, olga: Seat, mia: Seat) -> None:
        device = Device.objects.create(account=olga.account, name="m", member=mia.membership)
        path = f"members/{mia.membership.pk}/"
        told = of(olga).ask("PATCH", path, {"role": "auditor"})
        assert (told.status_code, told.json()["role"]) == (200, "auditor")
        event = AuditEvent.objects.latest("pk")
        assert (event.verb, event.actor_kind, event.subject) == (
            "member.role",
            "token",
            "mia@example.org",
        )
        mia.membership.refresh_from_db()
        mias = of(mia, "read")
        assert of(olga).ask("DELETE", path).status_code == 204
        assert mias.get("members/").status_code == 401
        device.refresh_from_db()
        assert device.member is None
        assert of(olga).ask("DELETE", path).status_code == 404

    @pytest.mark.parametrize("said", [{"role": "admin"}, {"role": "owner"}, {"role": 7}, {}])
    def test_no_program_makes_admins(self, olga: Seat, mia: Seat, said: object) -> None:
        told = of(olga).ask("PATCH", f"members/{mia.membership.pk}/", said)
        assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "role")
        assert role_of(mia) == "member"

    def test_no_program_decides_about_admins(self, olga: Seat, adam: Seat) -> None:
        path = f"members/{adam.membership.pk}/"
        for told in (
            of(olga).ask("PATCH", path, {"role": "member"}),
            of(olga).ask("DELETE", path),
            of(adam).ask("DELETE", f"members/{olga.membership.pk}/"),
        ):
            assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
        assert (role_of(olga), role_of(adam)) == ("owner", "admin")

    def test_a_maker_who_may_less_now(self, olga: Seat, adam: Seat, mia: Seat) -> None:
        program, path = of(adam), f"members/{mia.membership.pk}/"
        Membership.objects.filter(pk=adam.membership.pk).update(role="auditor")
        assert program.ask("PATCH", path, {"role": "auditor"}).status_code == 403
        assert program.get("members/").status_code == 200
        assert role_of(mia) == "member"

    def test_a_seat_that_no_account_has(self, olga: Seat) -> None:
        for number in (0, 2**31, 2**70):
            assert of(olga).ask("DELETE", f"members/{number}/").status_code == 404


class TestInvitations:
    """Who is invited."""

    def test_the_link_is_in_the_mail_only(self, olga: Seat) -> None:
        told = of(olga).post("invitations/", {"email": "New@Example.org", "role": "member"})
        assert told.status_code == 201
        assert told.json()["email"] == "new@example.org"
        assert told.json()["is_mailed"] is True
        (letter,) = mail.outbox
        link = next(word for word in letter.body.split() if "/invitations/" in word)
        secret = link.rstrip("/").rpartition("/")[2]
        assert len(secret) > 40
        listed = of(olga, "read").get("invitations/")
        assert [one["id"] for one in listed.json()["results"]] == [told.json()["id"]]
        assert secret not in told.content.decode() + listed.content.decode()

    def test_it_is_sent_once_for_a_key(self, olga: Seat) -> None:
        program, said = of(olga), {"email": "new@example.org", "role": "auditor"}
        first = program.post("invitations/", said, idempotency_key="i-1")
        again = program.post("invitations/", said, idempotency_key="i-1")
        assert again.json() == first.json()
        assert len(mail.outbox) == 1

    def test_taking_one_back(self, olga: Seat) -> None:
        program = of(olga)
        made = program.post("invitations/", {"email": "new@example.org", "role": "member"}).json()
        for _ in range(2):
            assert program.ask("DELETE", f"invitations/{made['id']}/").status_code == 204
        assert program.get("invitations/").json()["results"] == []

    @pytest.mark.parametrize(
        ("said", "status"),
        [
            ({"email": "olga@example.org", "role": "member"}, 409),
            ({"email": "x@example.org", "role": "admin"}, 400),
            ({"email": "no address", "role": "member"}, 400),
            ({"email": f"{'x' * 260}@example.org", "role": "member"}, 400),
        ],
    )
    def test_what_is_refused(self, olga: Seat, said: object, status: int) -> None:
        assert of(olga).post("invitations/", said).status_code == status
        assert not mail.outbox
        assert not Invitation.objects.exists()

    def test_members_invite_nobody(self, mia: Seat, axel: Seat) -> None:
        for seat in (mia, axel):
            told = of(seat).post("invitations/", {"email": "x@example.org", "role": "member"})
            assert told.status_code == 403
        assert not Invitation.objects.exists()


class TestTokens:
    """Which tokens there are."""

    def test_listing_and_revoking(self, olga: Seat, adam: Seat) -> None:
        program, adams = of(olga), of(adam, "read")
        listed = program.get("tokens/")
        found = {one["member"]: one for one in listed.json()["results"]}
        assert set(found) == {"olga@example.org", "adam@example.org"}
        assert adams.token not in listed.content.decode()
        prefix = found["adam@example.org"]["prefix"]
        for _ in range(2):
            assert program.ask("DELETE", f"tokens/{prefix}/").status_code == 204
        assert adams.get("members/").status_code == 401
        assert AuditEvent.objects.filter(verb="token.revoke", subject=prefix).count() == 1

    def test_no_program_makes_one(self, olga: Seat) -> None:
        told = of(olga).post("tokens/", {"scope": "read", "label": "x"})
        assert told.status_code == 405
        assert ApiToken.objects.count() == 1

    def test_who_sees_them(self, olga: Seat, mia: Seat, axel: Seat) -> None:
        for program in (of(olga, "read"), of(mia), of(axel), of(olga, "billing")):
            assert program.get("tokens/").status_code == 403

    def test_another_account_s_token(self, olga: Seat) -> None:
        of(olga)
        bob = of(Seat(owner("bob-api@example.org").memberships.get()))
        prefix = ApiToken.objects.earliest("pk").prefix
        assert bob.ask("DELETE", f"tokens/{prefix}/").status_code == 404
        assert ApiToken.objects.earliest("pk").revoked_at is None
