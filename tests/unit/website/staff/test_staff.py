"""The staff pages: look at much, change little, delete nothing, all of it on record."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account, AuditEvent, Device, User
from backup_service import clock
from billing.models import Plan
from storage.models import Credential, Lock, Region, Replica, StoredObject, Vault
from storage.vaults.credentials import recognise
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.support.responses import Response
from tests.unit.website.conftest import back_up, client_of, enrol, person, with_second_factor

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Model) -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return reverse(name, args=[row.pk])


def act(client: Client, model: type[Model], action: str, *rows: Model, **more: str) -> Response:
    body = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(list_of(model), body, follow=True)


@pytest.fixture
def busy(laptop: Enrolled) -> Enrolled:
    """Something in every table that the work of the service fills."""
    back_up(laptop)
    Lock.objects.create(
        vault=laptop.vault,
        name="a" * 64,
        body=b"sealed lock body",
        credential=laptop.first.credential,
    )
    return laptop


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_lists_open_for_superusers_and_delete_nothing(
    sam: Client, busy: Enrolled, model: type[Model]
) -> None:
    response = sam.get(list_of(model))
    assert response.status_code == 200
    assert "delete_selected" not in text(response)
    assert "/add/" not in text(response)
    page = admin.site._registry[model]
    assert not page.has_delete_permission(response.wsgi_request)
    assert not page.has_add_permission(response.wsgi_request)
    for row in model._default_manager.all()[:1]:
        assert "deletelink" not in text(sam.get(page_of(row)))
        assert sam.post(page_of(row).replace("change", "delete"), {"post": "yes"}).status_code in (
            403,
            404,
        )
        assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_customers_are_refused(alice: Client, busy: Enrolled, model: type[Model]) -> None:
    assert alice.get(list_of(model), follow=True).status_code == 403


def test_no_secret_is_shown(sam: Client, busy: Enrolled) -> None:
    credential = busy.first.credential
    assert credential.secret_sha256 not in text(sam.get(page_of(credential)))
    assert "sealed lock body" not in text(sam.get(page_of(Lock.objects.get())))
    user = User.objects.get(email="alice@example.org")
    assert user.password not in text(sam.get(page_of(user)))


@pytest.mark.parametrize(
    "model",
    [StoredObject, Replica, Vault, Credential, Account, Device, AuditEvent],
    ids=lambda model: model._meta.label_lower,
)
def test_query_counts_do_not_grow(
    sam: Client, account: Account, busy: Enrolled, model: type[Model]
) -> None:
    sam.get(list_of(model))
    with CaptureQueriesContext(connection) as few:
        sam.get(list_of(model))
    for name in ("two", "three"):
        back_up(enrol(account, name))
    with CaptureQueriesContext(connection) as many:
        sam.get(list_of(model))
    assert len(many) == len(few) <= 16


def test_staff_without_permissions_see_an_empty_house() -> None:
    user = person("tim@example.org", is_staff=True)
    tim = with_second_factor(client_of(user), user)
    assert tim.get("/admin/").status_code == 200
    assert tim.get(list_of(Account)).status_code == 403


def test_staff_with_a_single_permission_do_what_it_says(account: Account) -> None:
    user = person("tim@example.org", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_account", "change_account", "view_plan"])
    )
    tim = with_second_factor(client_of(user), user)
    assert tim.get(list_of(Account)).status_code == 200
    page = text(tim.get(page_of(account)))
    assert "Choose the continent" in page
    assert "Grant more room" not in page
    plan = Plan.objects.get(slug="free")
    assert "quota_gb" not in text(tim.get(page_of(plan)))
    assert tim.post(page_of(plan), {"name": "Mine"}).status_code == 403


def test_revoking_credentials(sam: Client, busy: Enrolled) -> None:
    page = act(sam, Credential, "revoke", busy.first.credential)
    assert "neither back up nor restore" in text(page)
    assert recognise(busy.first.credential.prefix, busy.first.secret) is not None
    act(sam, Credential, "revoke", busy.first.credential, sure="yes")
    assert recognise(busy.first.credential.prefix, busy.first.secret) is None
    assert AuditEvent.objects.get(verb="credential.revoke").actor_label == "sam@example.org"


def test_unparking_copies(sam: Client, busy: Enrolled) -> None:
    replica = Replica.objects.order_by("pk")[0]
    Replica.objects.filter(pk=replica.pk).update(parked_at=clock.now(), tries=12)
    page = act(sam, Replica, "unpark", *Replica.objects.order_by("pk")[:2])
    assert "1 of 2 put back" in text(page)
    replica.refresh_from_db()
    assert (replica.parked_at, replica.tries) == (None, 0)
    assert AuditEvent.objects.get(verb="copies.unpark").actor_label == "sam@example.org"


def test_a_regions_place_and_priority_are_changed_and_its_status_is_not(
    sam: Client, busy: Enrolled
) -> None:
    region = Region.objects.get(alias="b")
    body = {"status": "draining", "place": "North Sea coast", "priority": "7"}
    sam.post(page_of(region), body)
    region.refresh_from_db()
    assert (region.status, region.place, region.priority) == ("active", "North Sea coast", 7)
    assert region.instance


def test_the_acts_of_a_region_ask_before_they_are_done(sam: Client, busy: Enrolled) -> None:
    region = Region.objects.get(alias="b")
    page = text(act(sam, Region, "offline", region))
    assert "all its replicas are made elsewhere" in page
    region.refresh_from_db()
    assert region.status == "active"
    act(sam, Region, "offline", region, sure="yes")
    region.refresh_from_db()
    assert region.status == "offline"
    event = AuditEvent.objects.get(verb="region.status")
    assert (event.detail, event.actor_label) == ({"status": "offline"}, "sam@example.org")
    act(sam, Region, "online", region, sure="yes")
    region.refresh_from_db()
    assert region.status == "active"


def test_an_act_that_cannot_be_says_why(sam: Client, busy: Enrolled) -> None:
    region = Region.objects.get(alias="b")
    page = text(act(sam, Region, "drain", region, sure="yes"))
    assert "Add a region first" in page
    assert "Drain it first" in text(act(sam, Region, "remove", region, sure="yes"))
    region.refresh_from_db()
    assert region.status == "active"


def test_a_destroyed_region_is_written_off(sam: Client, busy: Enrolled) -> None:
    region = Region.objects.get(alias="b")
    assert "cannot be undone" in text(act(sam, Region, "write_off", region))
    act(sam, Region, "write_off", region, sure="yes")
    region.refresh_from_db()
    assert region.status == "struck"


def test_staff_who_only_look_have_no_acts(busy: Enrolled) -> None:
    user = person("tim@example.org", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_region"]))
    tim = with_second_factor(client_of(user), user)
    region = Region.objects.get(alias="b")
    assert "Offline: leave it alone" not in text(tim.get(list_of(Region)))
    act(tim, Region, "offline", region, sure="yes")
    region.refresh_from_db()
    assert region.status == "active"


def test_regions_show_their_backlog(sam: Client, account: Account, laptop: Enrolled) -> None:
    back_up(laptop, copied=False)
    page = text(sam.get(list_of(Region)))
    assert '<td class="field-pending">3</td>' in page
    assert '<td class="field-objects">3</td>' in page
    assert "3 kB" in page.replace("\u00a0", " ")


def test_superusers_are_made_at_the_command_line_only(sam: Client, account: Account) -> None:
    user = User.objects.get(email="alice@example.org")
    sam.post(page_of(user), {"is_active": "on", "is_staff": "on", "is_superuser": "on"})
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (True, False)


def test_shutting_somebody_out(sam: Client, alice: Client, account: Account) -> None:
    user = User.objects.get(email="alice@example.org")
    sam.post(page_of(user), {})
    assert alice.get("/dashboard/").status_code == 302
    assert AuditEvent.objects.filter(verb="staff.change").exists()


def test_search_goes_by_vault_and_name(sam: Client, account: Account, busy: Enrolled) -> None:
    other = enrol(account, "other")
    back_up(other)
    obj = StoredObject.objects.filter(vault=other.vault)[0]
    for model in (StoredObject, Replica):
        page = sam.get(list_of(model), {"q": f"{other.vault.public_id} {obj.name[:6]}"})
        assert {row.pk for row in page.context["cl"].result_list} == set(
            model.objects.filter(
                **{"pk": obj.pk} if model is StoredObject else {"object": obj}
            ).values_list("pk", flat=True)
        )
    assert not sam.get(list_of(StoredObject), {"q": "nowhere"}).context["cl"].result_list
    found = sam.get(list_of(AuditEvent), {"q": "alice@example.org"}).context["cl"].result_list
    assert {event.account for event in found} == {account}


def test_counting_stops_somewhere(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.admin.base.MOST_COUNTED", 3)
    from accounts.admin.base import BoundedPaginator

    for number in range(5):
        Device.objects.create(account=account, name=str(number))
    assert BoundedPaginator(Device.objects.order_by("pk"), 2).count == 3
