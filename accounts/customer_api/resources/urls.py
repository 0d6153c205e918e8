"""URLs of the customers' API about people, tokens, activity and notices."""

from django.urls import path

from accounts.customer_api.resources import (
    activity,
    endpoints,
    invitations,
    members,
    notices,
    tokens,
)

_ENDPOINT = "endpoints/<str:endpoint_id>/"
urlpatterns = [
    path("members/", members.MembersView.as_view(), name="api_members"),
    path("members/<int:member_id>/", members.MemberView.as_view(), name="api_member"),
    path("invitations/", invitations.InvitationsView.as_view(), name="api_invitations"),
    path(
        "invitations/<int:invitation_id>/",
        invitations.InvitationView.as_view(),
        name="api_invitation",
    ),
    path("tokens/", tokens.TokensView.as_view(), name="api_tokens"),
    path("tokens/<str:token_prefix>/", tokens.TokenView.as_view(), name="api_token"),
    path("activity/", activity.ActivityView.as_view(), name="api_activity"),
    path("activity/export.csv", activity.ActivityTableView.as_view(), name="api_activity_export"),
    path("notices/", notices.NoticesView.as_view(), name="api_notices"),
    path("notifications/", notices.MailView.as_view(), name="api_notifications"),
    path("endpoints/", endpoints.EndpointsView.as_view(), name="api_endpoints"),
    path(_ENDPOINT, endpoints.EndpointView.as_view(), name="api_endpoint"),
    path(f"{_ENDPOINT}test/", endpoints.EndpointTestView.as_view(), name="api_endpoint_test"),
    path(f"{_ENDPOINT}key/", endpoints.EndpointKeyView.as_view(), name="api_endpoint_key"),
    path(
        f"{_ENDPOINT}deliveries/",
        endpoints.DeliveriesView.as_view(),
        name="api_endpoint_deliveries",
    ),
]
