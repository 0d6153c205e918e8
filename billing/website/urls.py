"""Addresses of the pages about plans and payments."""

from django.urls import path

from billing.webhooks.view import webhook
from billing.website import views

urlpatterns = [
    path("", views.overview, name="billing"),
    path("plans/", views.plans, name="billing_plans"),
    path("checkout/", views.start_checkout, name="billing_checkout"),
    path("portal/", views.open_portal, name="billing_portal"),
    path("return/", views.come_back, name="billing_return"),
    path("webhook/", webhook, name="billing_webhook"),
]
