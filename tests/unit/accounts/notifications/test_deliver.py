"""What is due is sent, again until it arrives, and nobody holds up anybody."""

import smtplib
import socket
from collections.abc import Callable, Sequence

import pytest
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.locmem import EmailBackend
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.models import Account, BouncingAddress, Delivery, Endpoint, Membership, User
from accounts.notifications import deliver, endpoints, preferences, public_http, tokens
from accounts.notifications.notify import notify
from accounts.topics import Topic
from tests.support.customers.standard_webhooks import verify
from tests.support.pages import Client
from tests.unit.accounts.notifications.conftest import Connect, Host, later, member

pytestmark = pytest.mark.django_db
State = Delivery.State


class Refusing(EmailBackend):
    """A mail server that says no: for good to gone@..., and to others for the moment."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        for message in messages:
            (address,) = message.to
            code = 550 if address.startswith("gone@") else 450
            raise smtplib.SMTPRecipientsRefused({address: (code, b"no")})
        return 0


REFUSING = f"{__name__}.Refusing"


def html_of(message: EmailMessage) -> str:
    assert isinstance(message, EmailMultiAlternatives)
    ((content, kind),) = message.alternatives
    assert (isinstance(content, str), kind) == (True, "text/html")
    return str(content)


def send_all() -> int:
    channels = (deliver.MAILS, deliver.ENDPOINTS, deliver.FAILING)
    return sum(deliver.deliver_due(channel, seconds=5) for channel in channels)


def only() -> Delivery:
    return Delivery.objects.get()


def test_a_mail(account: Account) -> None:
    notify(account, "trial-late", key="late", name="laptop\r\nBcc: eve@example.org")
    assert send_all() == 1
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.org"]
    assert sent.subject == "“laptop Bcc: eve@example.org” is late"
    assert "Nothing came for two days." in sent.body
    assert "Last backup: Monday" in sent.body
    assert "Look at it:\nhttp://127.0.0.1/vaults/x/" in sent.body
    html = html_of(sent)
    assert "<script" not in html
    assert "src=" not in html  # nothing is fetched when it is read
    parsed = sent.message()
    assert parsed["List-Unsubscribe"].startswith("<http")
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert only().state == State.SENT
    assert send_all() == 0


def test_names_are_no_markup(account: Account) -> None:
    notify(account, "trial-late", key="late", name="<b>laptop</b>")
    send_all()
    html = html_of(mail.outbox[0])
    assert "<b>laptop" not in html
    assert "&lt;b&gt;laptop" in html
    assert "<b>laptop</b>" in mail.outbox[0].subject


def test_one_click_ends_them(account: Account, owner: Membership) -> None:
    notify(account, "trial-late", key="late", name="x")
    send_all()
    header = mail.outbox[0].extra_headers["List-Unsubscribe"]
    path = header.strip("<>").partition("/unsubscribe/")[2]
    client = Client(enforce_csrf_checks=True)
    assert client.get(f"/unsubscribe/{path}").status_code == 200
    owner.refresh_from_db()
    assert preferences.wants(owner, Topic.BACKUPS)  # a GET, as scanners of mails do, ends nothing
    body = "List-Unsubscribe=One-Click"
    form = "application/x-www-form-urlencoded"
    assert client.post(f"/unsubscribe/{path}", body, form).status_code == 200
    assert not preferences.wants(Membership.objects.get(pk=owner.pk), Topic.BACKUPS)
    assert client.get("/unsubscribe/made-up/").status_code == 404


def test_mails_about_security_have_no_way_to_end_them(account: Account) -> None:
    notify(account, "trial-credential", key="c")
    send_all()
    assert "List-Unsubscribe" not in mail.outbox[0].message()


def test_a_server_that_refuses_for_now_is_asked_again(account: Account, settings: Settings) -> None:
    settings.EMAIL_BACKEND = REFUSING
    notify(account, "trial-late", key="late", name="x")
    assert send_all() == 0
    assert (only().state, only().attempts) == (State.WAITING, 1)
    assert send_all() == 0
    assert only().attempts == 1  # it is not due yet
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with later(minutes=2):
        assert send_all() == 1
    assert only().state == State.SENT


def test_it_is_given_up_at_last(account: Account, settings: Settings) -> None:
    settings.EMAIL_BACKEND = REFUSING
    notify(account, "trial-late", key="late", name="x")
    for day in range(len(deliver.DELAYS) + 2):
        with later(days=2 * day):
            send_all()
    assert only().state == State.FAILED
    assert not BouncingAddress.objects.exists()


def test_an_address_that_is_not_there_is_left_alone(settings: Settings) -> None:
    account = Account.objects.create(name="gone")
    seat = member(account, "gone@example.org", Membership.Role.OWNER)
    settings.EMAIL_BACKEND = REFUSING
    notify(account, "trial-late", key="late", name="x")
    send_all()
    assert only().state == State.FAILED
    assert BouncingAddress.objects.get().email == "gone@example.org"
    notify(account, "trial-late", key="later", name="x")
    send_all()
    assert Delivery.objects.latest("pk").state == State.DROPPED
    client = Client()
    client.force_login(seat.user, "django.contrib.auth.backends.ModelBackend")
    assert b"does not arrive" in client.get("/settings/notifications/").content
    client.post("/settings/notifications/mail/")
    assert not BouncingAddress.objects.exists()


def test_a_former_member_gets_nothing(account: Account) -> None:
    seat = member(account, "admin@example.org", Membership.Role.ADMIN)
    notify(account, "trial-late", key="late", name="x")
    seat.delete()
    send_all()
    assert [sent.to for sent in mail.outbox] == [["alice@example.org"]]


def test_it_goes_to_the_address_of_today(account: Account, owner: Membership) -> None:
    notify(account, "trial-late", key="late", name="x")
    User.objects.filter(pk=owner.user_id).update(email="new@example.org")
    assert send_all() == 1
    assert mail.outbox[0].to == ["new@example.org"]
    assert only().address == "new@example.org"


@pytest.mark.parametrize("change", ["inactive", "unwanted", "auditor"])
def test_nobody_gets_what_is_no_longer_theirs(
    account: Account, owner: Membership, change: str
) -> None:
    notify(account, "trial-payment", key="payment")
    match change:
        case "inactive":
            User.objects.filter(pk=owner.user_id).update(is_active=False)
        case "unwanted":
            preferences.turn_off(owner, Topic.BILLING, actor=SERVICE)
        case "auditor":
            Membership.objects.filter(pk=owner.pk).update(role=Membership.Role.AUDITOR)
    assert send_all() == 0
    assert only().state == State.DROPPED


def test_a_letter_that_cannot_be_written_stops_no_other(account: Account) -> None:
    notify(account, "trial-broken", key="broken")
    notify(account, "trial-late", key="late", name="x")
    assert send_all() == 1
    assert Delivery.objects.waiting().get().notice.kind == "trial-broken"


def test_each_account_has_its_turn(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        notify(account, "trial-late", key=f"late:{number}", name="x")
    other = Account.objects.create(name="another")
    member(other, "bob@example.org", Membership.Role.OWNER)
    notify(other, "trial-late", key="late", name="x")
    monkeypatch.setattr(deliver, "claim", _claim_few(deliver.OF_ACCOUNT + 1))
    send_all()
    assert "bob@example.org" in {sent.to[0] for sent in mail.outbox}


def test_a_few_with_much_to_send_leave_places_to_the_others(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        greedy = Account.objects.create(name=f"greedy {number}")
        member(greedy, f"greedy{number}@example.org", Membership.Role.OWNER)
        for count in range(deliver.MAILS.batch):
            notify(greedy, "trial-late", key=f"late:{count}", name="x")
    notify(account, "trial-late", key="late", name="x")
    monkeypatch.setattr(deliver, "claim", _claim_few(5))
    send_all()
    assert "alice@example.org" in {sent.to[0] for sent in mail.outbox}


def _claim_few(most: int) -> Callable[[int], Delivery | None]:
    claim, left = deliver.claim, [most]

    def few(pk: int) -> Delivery | None:
        left[0] -= 1
        return claim(pk) if left[0] >= 0 else None

    return few


def test_two_workers_send_one_mail(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    notify(account, "trial-late", key="late", name="x")
    pk = only().pk
    first = deliver.claim(pk)
    assert first is not None
    assert deliver.claim(pk) is None
    with later(minutes=3):  # the first one has died
        assert send_all() == 1
    assert len(mail.outbox) == 1


class TestEndpoints:
    def test_what_it_gets(self, account: Account, host: Host, connect: Connect) -> None:
        endpoint = connect()
        notify(account, "trial-late", key="late", name="laptop")
        assert send_all() == 2
        ((headers, body),) = host.taken
        message = verify(body, headers, key=tokens.shown_key(endpoint))
        assert message["type"] == "trial-late"
        assert message["data"]["values"] == {"name": "laptop"}
        assert message["data"]["account"] == account.public_id
        endpoint.refresh_from_db()
        assert endpoint.worked_at is not None

    def test_another_key(self, account: Account, host: Host, connect: Connect) -> None:
        endpoint = connect()
        before = tokens.shown_key(endpoint)
        endpoints.renew_key(endpoint, actor=SERVICE)
        assert tokens.shown_key(endpoint) != before

    def test_a_push_message(self, account: Account, host: Host, connect: Connect) -> None:
        connect(kind=Endpoint.Kind.PUSH)
        notify(account, "trial-late", key="late", name="laptop")
        send_all()
        ((headers, body),) = host.taken
        assert headers["priority"] == "high"
        assert headers["click"] == "http://127.0.0.1/vaults/x/"
        assert headers["title"].startswith("=?utf-8?")
        assert body.decode().startswith("Nothing came for two days.")

    @pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
    def test_it_is_sent_again(
        self, account: Account, host: Host, connect: Connect, status: int
    ) -> None:
        endpoint = connect()
        host.statuses, host.location = [status], host.url
        notify(account, "trial-late", key="late", name="laptop")
        send_all()
        assert len(host.taken) == 1  # a redirect is not followed
        endpoint.refresh_from_db()
        assert endpoint.failing_since is not None
        assert str(status) in endpoint.error
        with later(minutes=2):
            assert send_all() == 1
        endpoint.refresh_from_db()
        assert endpoint.failing_since is None
        assert host.taken[0][0]["webhook-id"] == host.taken[1][0]["webhook-id"]

    def test_one_that_hangs_holds_up_no_other(
        self, account: Account, host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(public_http, "DEADLINE_SECONDS", 0.3)
        with socket.create_server(("127.0.0.1", 0)) as silent:  # takes what comes, says nothing
            connect(url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
            for number in range(20):
                notify(account, "trial-late", key=f"late:{number}", name="x")
            deliver.deliver_due(deliver.ENDPOINTS, seconds=0.1)
            other = Account.objects.create(name="another")
            chosen = endpoints.Settings("pager", host.url, [Topic.BACKUPS])
            endpoints.add(other, kind="webhook", chosen=chosen, actor=SERVICE)
            notify(other, "trial-late", key="late", name="x")
            tried = Delivery.objects.filter(account=account, attempts__gt=0)
            before = tried.count()
            assert deliver.deliver_due(deliver.ENDPOINTS, seconds=5) == 1
            assert tried.count() == before
            deliver.deliver_due(deliver.FAILING, seconds=0.1)
            assert tried.count() > before

    def test_gone_is_gone_and_can_be_replayed(
        self, account: Account, host: Host, connect: Connect
    ) -> None:
        endpoint = connect()
        host.statuses = [410]
        notify(account, "trial-late", key="late", name="laptop")
        send_all()
        delivery = endpoint.deliveries.get()
        assert delivery.state == State.FAILED
        assert endpoints.send_again(delivery)
        assert not endpoints.send_again(delivery)
        assert send_all() == 1

    def test_people_are_told_of_one_that_fails_for_a_day(
        self, account: Account, host: Host, connect: Connect
    ) -> None:
        connect()
        host.statuses = [500] * 50
        notify(account, "trial-late", key="late", name="laptop")
        for hour in range(40):
            with later(hours=hour):
                send_all()
        subjects = [sent.subject for sent in mail.outbox]
        assert subjects.count("Notices no longer reach “pager”") == 1

    def test_a_test(self, account: Account, host: Host, connect: Connect) -> None:
        endpoint = connect()
        assert endpoints.send_test(endpoint)
        assert not endpoints.send_test(endpoint)
        assert send_all() == 1
        assert len(host.taken) == 1
        with later(minutes=2):
            assert endpoints.send_test(endpoint)
