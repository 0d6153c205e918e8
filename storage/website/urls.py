"""URLs of the pages about devices, vaults and credentials."""

from django.urls import path

from storage.website import (
    connect,
    dashboard,
    leaving,
    removal_views,
    vault_page,
    views,
)
from storage.website.vault_acts import credential_views, deletion_views

urlpatterns = [
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/live/", dashboard.dashboard_live, name="dashboard_live"),
    path("connect/", connect.connect, name="connect"),
    path("account/continent/", views.continent, name="continent"),
    path("settings/export/", leaving.export, name="export"),
    path("settings/close/", leaving.close_account, name="account_close"),
    path("settings/close/reopen/", leaving.reopen_account, name="account_reopen"),
    path("settings/delete/", leaving.delete_sign_in, name="sign_in_delete"),
    path("devices/add/", views.add_device, name="device_add"),
    path("devices/<str:device_id>/rename/", views.rename_a_device, name="device_rename"),
    path("devices/<str:device_id>/retire/", views.retire, name="device_retire"),
    path("vaults/<str:vault_id>/", vault_page.vault, name="vault"),
    path("vaults/<str:vault_id>/live/", vault_page.vault_live, name="vault_live"),
    path("vaults/<str:vault_id>/events/", vault_page.events, name="vault_events"),
    path("vaults/<str:vault_id>/rename/", views.rename, name="vault_rename"),
    path("vaults/<str:vault_id>/interval/", views.interval, name="vault_interval"),
    path("vaults/<str:vault_id>/delete/", deletion_views.delete, name="vault_delete"),
    path("vaults/<str:vault_id>/keep/", deletion_views.keep_vault, name="vault_keep"),
    path("vaults/<str:vault_id>/lost/give-up/", views.give_up, name="vault_give_up"),
    path(
        "vaults/<str:vault_id>/accept-removal/", removal_views.accept_removal, name="accept_removal"
    ),
    path("vaults/<str:vault_id>/snapshots/", removal_views.snapshots, name="snapshots"),
    path("vaults/<str:vault_id>/undelete/", removal_views.undelete, name="undelete"),
    path(
        "vaults/<str:vault_id>/undelete/<int:number>/",
        removal_views.undelete_progress,
        name="undelete_progress",
    ),
    path("vaults/<str:vault_id>/set-up/", credential_views.set_up_again, name="vault_set_up"),
    path(
        "vaults/<str:vault_id>/credentials/add/",
        credential_views.add_credential,
        name="credential_add",
    ),
    path(
        "vaults/<str:vault_id>/credentials/<str:prefix>/rename/",
        credential_views.rename_credential,
        name="credential_rename",
    ),
    path(
        "vaults/<str:vault_id>/credentials/<str:prefix>/replace/",
        credential_views.rotate_credential,
        name="credential_rotate",
    ),
    path(
        "vaults/<str:vault_id>/credentials/<str:prefix>/keys/",
        credential_views.key_window,
        name="credential_keys",
    ),
    path(
        "vaults/<str:vault_id>/credentials/<str:prefix>/revoke/",
        credential_views.revoke_credential,
        name="credential_revoke",
    ),
]
