"""The settings of the customers' API, and of the document that describes it."""

from typing import Any

REST_SETTINGS: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.customer_api.authentication.TokenAuthentication"],
    "DEFAULT_PARSER_CLASSES": ["accounts.customer_api.parsing.StrictJSONParser"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "accounts.customer_api.problems.answer",
    "UNAUTHENTICATED_USER": None,
}


def openapi_settings(version: str) -> dict[str, Any]:
    """Return how drf-spectacular makes the document."""
    return {
        "TITLE": "Nightsafe",
        "DESCRIPTION": (
            "Computers, vaults, what happened in them and who may enter; members, activity, "
            "notices, plan and payments. Times are RFC 3339 in UTC, sizes are bytes, errors are "
            "problem documents (RFC 9457). What agents ask answers at the gateway, with a vault's "
            "credential."
        ),
        "VERSION": version,
        "OAS_VERSION": "3.1.0",
        "SCHEMA_PATH_PREFIX": "/api/v1",
        "SERVE_INCLUDE_SCHEMA": False,
        "COMPONENT_SPLIT_REQUEST": True,
        "SORT_OPERATIONS": True,
        # Names that stay, whatever else comes to be called by the same word.
        "ENUM_NAME_OVERRIDES": {
            "AccountStateEnum": "storage.customer_api.shapes.ACCOUNT_STATES",
            "ActorKindEnum": "accounts.customer_api.resources.shapes.ACTOR_KINDS",
            "BillingStateEnum": "billing.customer_api.shapes.STATES",
            "ClosingReasonEnum": "storage.customer_api.leaving.REASONS",
            "CredentialScopeEnum": "storage.customer_api.shapes.CREDENTIAL_SCOPES",
            "DeliveryStateEnum": "accounts.customer_api.resources.shapes.DELIVERY_STATES",
            "EndpointKindEnum": "accounts.customer_api.resources.shapes.ENDPOINT_KINDS",
            "EventKindEnum": "storage.customer_api.shapes.EVENT_KINDS",
            "LesserRoleEnum": "accounts.roles.BY_PROGRAM",
            "RoleEnum": "accounts.customer_api.resources.shapes.ROLES",
            "TokenScopeEnum": "accounts.customer_api.resources.shapes.TOKEN_SCOPES",
            "TopicEnum": "accounts.topics.Topic.values",
            "VaultStateEnum": "storage.customer_api.shapes.STATES",
        },
    }
