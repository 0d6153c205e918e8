"""Addresses of the account's own pages."""

from django.urls import path

from accounts.website import activity, notification_views, views
from accounts.website.sign_in import sessions

urlpatterns = [
    path("account/open/", views.open_own_account, name="account_open"),
    path("settings/sessions/<int:session_id>/end/", sessions.end_session, name="session_end"),
    path("activity/", activity.activity, name="activity"),
    path("activity/export.csv", activity.export, name="activity_export"),
    path("settings/notifications/", notification_views.notifications, name="notifications"),
    path("settings/notifications/mail/", notification_views.write_again, name="write_again"),
    path(
        "settings/notifications/endpoints/add/",
        notification_views.add_endpoint,
        name="endpoint_add",
    ),
    path(
        "settings/notifications/endpoints/<str:endpoint_id>/",
        notification_views.endpoint,
        name="endpoint",
    ),
    path(
        "settings/notifications/endpoints/<str:endpoint_id>/<slug:act>/",
        notification_views.act_on_endpoint,
        name="endpoint_act",
    ),
    path("unsubscribe/<str:token>/", notification_views.unsubscribe, name="unsubscribe"),
]
