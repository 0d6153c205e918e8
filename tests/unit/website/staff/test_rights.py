"""What each group of staff may open and do, over every address of the staff pages there is."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import Account, AuditEvent, User
from accounts.staff.groups import MEANING, OF_GROUP, StaffGroup
from billing.admin.acts import ACTS
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import back_up, client_of, person, with_second_factor
from tests.unit.website.staff.conftest import member_of
from tests.unit.website.test_routes import all_routes

pytestmark = pytest.mark.django_db

OPEN = {"", "login/", "logout/", "password_change/", "password_change/done/", "jsi18n/", "search/"}
# Asks for a model's own right, which no address names; tried below.
ASKS_FURTHER = {"autocomplete/", "r/<path:content_type_id>/<path:object_id>/"}
SEES = {
    StaffGroup.SUPPORT: {
        *("accounts.account", "accounts.auditevent", "accounts.bouncingaddress"),
        *("accounts.delivery", "accounts.device", "accounts.endpoint", "accounts.membership"),
        *("accounts.notice", "accounts.staffnote", "accounts.user", "account.emailaddress"),
        *("mfa.authenticator", "usersessions.usersession", "billing.grant", "billing.plan"),
        *("billing.subscription", "storage.credential", "storage.lock", "storage.vault"),
        "storage.vaultevent",
    },
    StaffGroup.BILLING: {
        *("accounts.account", "accounts.auditevent", "accounts.membership", "accounts.staffnote"),
        *("accounts.user", "billing.grant", "billing.plan", "billing.stripeevent"),
        "billing.subscription",
    },
    StaffGroup.OPERATIONS: {
        *("storage.alarm", "storage.attempt", "storage.canaryrun", "storage.channel"),
        *("storage.credential", "storage.heartbeat", "storage.journalentry", "storage.lock"),
        *("storage.lossnotice", "storage.region", "storage.replica", "storage.storedobject"),
        *("storage.vault", "storage.vaultevent"),
    },
}
DOES = {
    StaffGroup.SUPPORT: {
        "room",
        "grace",
        "freeze",
        "unfreeze",
        "close",
        "reopen",
        "continent",
        "note",
    },
    StaffGroup.BILLING: {"room", "grace", "plan", "note"},
    StaffGroup.OPERATIONS: set(),
}
GROUPS = pytest.mark.parametrize("group", list(StaffGroup))


def staff_routes() -> Iterator[str]:
    for route in all_routes():
        path = route.removeprefix("admin/")
        if route.startswith("admin/") and path not in OPEN | ASKS_FURTHER:
            yield path


def model_of(path: str) -> str:
    app, model, *_ = path.split("/")
    return f"{app}.{model}"


@GROUPS
def test_every_address_is_open_to_whom_it_is_for_and_to_nobody_else(
    group: StaffGroup, laptop: Enrolled
) -> None:
    back_up(laptop)
    client, tried = member_of(group), 0
    for route in staff_routes():
        if "(?P<" in route or route.endswith("/act/<slug:slug>/"):
            continue
        model = admin.site._registry.keys()
        [found] = [one for one in model if one._meta.label_lower == model_of(route)]
        row = found._default_manager.order_by("pk").first()
        path = route.replace("<path:object_id>", str(row.pk if row else 1))
        status = client.get(f"/admin/{path}").status_code
        tried += 1
        if path.endswith(("/add/", "/delete/")):
            assert status in (403, 302), path  # a row that is not there leads away
        elif model_of(route) not in SEES[group]:
            assert status in (403, 302), path
        else:
            assert status in (200, 302), path
            if path.count("/") == 2:
                assert status == 200, path
    assert tried > 100


@GROUPS
def test_rows_open_only_to_whom_their_lists_do(group: StaffGroup, laptop: Enrolled) -> None:
    back_up(laptop)
    client, opened = member_of(group), set()
    for model in admin.site._registry:
        row = model._default_manager.order_by("pk").first()
        if row is not None:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            status = client.get(reverse(name, args=[row.pk])).status_code
            assert status in (200, 403)
            if status == 200:
                opened.add(model._meta.label_lower)
    assert opened
    assert opened <= SEES[group]


@GROUPS
def test_acts_on_accounts(group: StaffGroup, account: Account) -> None:
    client = member_of(group)
    for act in ACTS:
        path = reverse("admin:account_act", args=[account.pk, act.slug])
        expected = 200 if act.slug in DOES[group] else 403
        assert client.get(path).status_code == expected, act.slug
        status = client.post(path, {"sure": "yes"}).status_code  # and nothing that it wants
        assert status in ((200, 302) if expected == 200 else (403,)), act.slug
    account.refresh_from_db()
    assert account.state == "active"
    assert not AuditEvent.objects.filter(actor_kind="staff").exists()


def test_nobody_but_superusers_gives_rights(support: Client, account: Account) -> None:
    user = User.objects.get(email="support@example.org")
    path = reverse("admin:accounts_user_change", args=[user.pk])
    assert "_save" not in text(support.get(path))
    assert support.post(path, {"is_staff": "on", "is_superuser": "on"}).status_code == 403
    permission = Permission.objects.get(codename="change_user")
    user.user_permissions.add(permission)
    assert support.post(path, {"is_staff": "on", "is_superuser": "on"}).status_code == 403
    user.refresh_from_db()
    assert not user.is_superuser


def test_autocomplete_and_view_on_site_open_nothing(operations: Client, account: Account) -> None:
    query = {"term": "a", "app_label": "accounts", "model_name": "membership", "field_name": "user"}
    assert operations.get("/admin/autocomplete/", query).status_code == 403
    assert operations.get("/admin/r/1/1/").status_code == 404


@GROUPS
def test_every_right_of_a_group_is_a_permission_that_there_is(group: StaffGroup) -> None:
    known = {
        f"{one.content_type.app_label}.{one.codename}"
        for one in Permission.objects.select_related("content_type")
    }
    assert OF_GROUP[group] <= known
    assert MEANING[group]


def test_a_group_without_being_staff_gives_nothing(account: Account) -> None:
    member_of(StaffGroup.SUPPORT)
    user = User.objects.get(email="support@example.org")
    assert user.has_perm("accounts.view_account")
    assert user.has_module_perms("billing")
    for field in ("is_staff", "is_active"):
        User.objects.filter(pk=user.pk).update(is_staff=True, is_active=True)
        User.objects.filter(pk=user.pk).update(**{field: False})
        assert not User.objects.get(pk=user.pk).has_perm("accounts.view_account")


def test_the_groups_want_a_second_factor_as_well(account: Account) -> None:
    client = member_of(StaffGroup.SUPPORT)
    user = User.objects.get(email="support@example.org")
    without = client_of(user)
    assert without.get("/admin/").status_code == 302
    assert without.get("/admin/search/?q=alice").status_code == 302
    path = reverse("admin:account_act", args=[account.pk, "freeze"])
    assert without.post(path, {"reason": "x", "sure": "yes"}).status_code == 302
    assert client.get("/admin/").status_code == 200


def test_staff_without_a_group_find_nothing(account: Account) -> None:
    user = person("tim@example.org", is_staff=True)
    tim = with_second_factor(client_of(user), user)
    assert account.public_id not in text(tim.get("/admin/search/?q=alice"))
    assert tim.get(reverse("admin:accounts_account_change", args=[account.pk])).status_code == 403
