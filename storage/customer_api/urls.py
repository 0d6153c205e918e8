"""URLs of the customers' API about the account, computers and vaults."""

from django.urls import path

from storage.customer_api.account import AccountView
from storage.customer_api.credentials import CredentialsView, CredentialView
from storage.customer_api.device import DeviceCodeView, DeviceTokenView
from storage.customer_api.devices import DevicesView, DeviceView
from storage.customer_api.leaving import ClosingView, ExportView
from storage.customer_api.snapshots import SnapshotsView
from storage.customer_api.undeletes import (
    AcceptRemovalView,
    UndeletePlanView,
    UndeletesView,
    UndeleteView,
)
from storage.customer_api.vault_acts.credential_acts import KeyWindowView, RotationView, SetUpView
from storage.customer_api.vault_acts.deletions import DeletionView
from storage.customer_api.vaults import EventsView, LostView, VaultsView, VaultView

_VAULT = "vaults/<str:vault_id>/"
_CREDENTIAL = f"{_VAULT}credentials/<str:username>/"
urlpatterns = [
    path("device/code", DeviceCodeView.as_view(), name="device_code"),
    path("device/token", DeviceTokenView.as_view(), name="device_token"),
    path("account/", AccountView.as_view(), name="api_account"),
    path("account/closing/", ClosingView.as_view(), name="api_closing"),
    path("account/export.zip", ExportView.as_view(), name="api_export"),
    path("devices/", DevicesView.as_view(), name="api_devices"),
    path("devices/<str:device_id>/", DeviceView.as_view(), name="api_device"),
    path("vaults/", VaultsView.as_view(), name="api_vaults"),
    path(_VAULT, VaultView.as_view(), name="api_vault"),
    path(f"{_VAULT}deletion/", DeletionView.as_view(), name="api_vault_deletion"),
    path(f"{_VAULT}set-up/", SetUpView.as_view(), name="api_set_up"),
    path(f"{_VAULT}events/", EventsView.as_view(), name="api_events"),
    path(f"{_VAULT}lost/give-up/", LostView.as_view(), name="api_lost"),
    path(f"{_VAULT}snapshots/", SnapshotsView.as_view(), name="api_snapshots"),
    path(f"{_VAULT}accept-removal/", AcceptRemovalView.as_view(), name="api_accept_removal"),
    path(f"{_VAULT}undeletes/", UndeletesView.as_view(), name="api_undeletes"),
    path(f"{_VAULT}undeletes/plan/", UndeletePlanView.as_view(), name="api_undelete_plan"),
    path(f"{_VAULT}undeletes/<int:number>/", UndeleteView.as_view(), name="api_undelete"),
    path(f"{_VAULT}credentials/", CredentialsView.as_view(), name="api_credentials"),
    path(_CREDENTIAL, CredentialView.as_view(), name="api_credential"),
    path(f"{_CREDENTIAL}replace/", RotationView.as_view(), name="api_credential_replace"),
    path(f"{_CREDENTIAL}keys/", KeyWindowView.as_view(), name="api_credential_keys"),
]
