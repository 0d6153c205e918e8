"""URLs of the customers' API about vaults and computers."""

from django.urls import path

from storage.customer_api.device import DeviceCodeView, DeviceTokenView

urlpatterns = [
    path("device/code", DeviceCodeView.as_view(), name="device_code"),
    path("device/token", DeviceTokenView.as_view(), name="device_token"),
]
