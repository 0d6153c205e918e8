"""Addresses of the account's own pages."""

from django.urls import path

from accounts.website import activity, notification_views, own_settings, views
from accounts.website.seats import api_tokens, joining, members
from accounts.website.sign_in import sessions

urlpatterns = [
    path("account/open/", views.open_own_account, name="account_open"),
    path("settings/sessions/<int:session_id>/end/", sessions.end_session, name="session_end"),
    path("settings/", own_settings.own_settings, name="settings"),
    path("settings/account/", own_settings.rename_account, name="account_rename"),
    path("settings/switch/", members.switch, name="account_switch"),
    path("settings/members/", members.members, name="members"),
    path("settings/members/leave/", members.leave, name="member_leave"),
    path("settings/members/take-over/", members.take_over, name="member_take_over"),
    path("settings/members/<int:seat_id>/role/", members.change_role, name="member_role"),
    path("settings/members/<int:seat_id>/remove/", members.remove, name="member_remove"),
    path("settings/members/<int:seat_id>/offer/", members.offer, name="member_offer"),
    path("settings/invitations/<int:invitation_id>/revoke/", members.uninvite, name="uninvite"),
    path("settings/tokens/", api_tokens.api_tokens, name="tokens"),
    path("settings/tokens/<str:token>/revoke/", api_tokens.revoke_token, name="token_revoke"),
    path("devices/<str:device_id>/move/", members.move_device, name="device_move"),
    path("invitations/", joining.invitation, name="invitation"),
    path("invitations/<str:token>/", joining.follow_link, name="invitation_link"),
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
