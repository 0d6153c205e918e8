"""Addresses of the account's own pages."""

from django.urls import path

from accounts.website import views

urlpatterns = [
    path("account/open/", views.open_own_account, name="account_open"),
    path("activity/", views.activity, name="activity"),
]
