"""A program that uses the customers' API."""

import json
from datetime import timedelta
from typing import Any

import django.test

from accounts.audit import SERVICE
from accounts.models import Account, ApiToken, Membership
from accounts.tokens import tokens
from backup_service import clock

BASE = "/api/v1/"


class Program:
    """Sends requests with a token, or without any."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self._client = django.test.Client(enforce_csrf_checks=True, raise_request_exception=False)

    def ask(self, method: str, path: str, said: Any = None, **headers: str) -> Any:
        """Return the response; what is said is sent as JSON. Headers by their names, with `_`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        body = "" if said is None else json.dumps(said)
        address = path if path.startswith("/") else BASE + path
        return self._client.generic(method, address, body, "application/json", headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        """Return the response to a GET."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, said: Any = None, **headers: str) -> Any:
        """Return the response to a POST."""
        return self.ask("POST", path, {} if said is None else said, **headers)


def program(account: Account, scope: str = ApiToken.Scope.WRITE, role: str = "owner") -> Program:
    """Return a program with a new token, of a member with this role; a full one is for a day."""
    seat = Membership.objects.filter(account=account, role=role).get()
    until = clock.now() + timedelta(days=1) if scope == ApiToken.Scope.FULL else None
    made = tokens.create(seat, scope=scope, label="test", actor=SERVICE, expires_at=until)
    return Program(made.text)
