"""Notes what a request to the gateway was refused, for the vault's owner to see."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from django.http import HttpRequest

from accounts import request_facts
from storage.errors import RefusedError
from storage.events.refusals import NO_VERDICT, Refusal, refusals
from storage.models import Credential
from storage.objects.batch import ItemResult
from storage.vaults.access import Access, known_caller

log = logging.getLogger(__name__)


@dataclass
class Call:
    """A request that names a vault; `access` once its credential is known to be good."""

    request: HttpRequest
    vault_id: str
    access: Access | None = None

    def note(self, refusal: RefusedError, status: int) -> None:
        """Note that this call was answered with `status`; whatever fails here is logged alone.

        That an object is not there is an answer like any other, and is not noted; nor is a second
        set-up, which harms nothing.
        """
        self._tell_the_log(cause=refusal.code, text=str(refusal))
        if self.access is not None and (status == HTTPStatus.NOT_FOUND or not refusal.is_news):
            return
        self._note(status, refusal.code, str(refusal), passes=refusal.can_mend)

    def note_items(self, results: Iterable[ItemResult]) -> None:
        """Note what was refused of a batch, once for each reason."""
        by_code = {one.code: one for one in results if one.refused_with is not None}
        if by_code:
            self._tell_the_log(cause=",".join(sorted(by_code)))
        for one in by_code.values():
            self._note(one.refused_with or HTTPStatus.FORBIDDEN, one.code, one.message)

    def note_failure(self) -> None:
        """Note that this call failed by a fault of the service."""
        text = "The service failed at this request. Its staff sees why."
        self._note(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", text)

    def _tell_the_log(self, **facts: str) -> None:
        if self.access is not None:
            facts["account"] = self.access.vault.account.public_id
            facts["credential"] = self.access.credential.prefix
        request_facts.note(self.request, **facts)

    def _note(self, status: int, code: str, text: str, *, passes: bool = False) -> None:
        try:
            credential = self._credential()
            if credential is not None:
                # A backup that may not even read ends as well; removals and keys are none of it.
                is_of_backup = self.request.method != "DELETE" and not self._is_of_set_up()
                stops = is_of_backup and not passes and status not in NO_VERDICT
                vault = credential.vault_id
                refusals.note(Refusal(vault, credential, int(status), code, text, stops))
        except Exception:  # the answer is as it would have been
            log.exception("a refusal could not be noted")

    def _is_of_set_up(self) -> bool:
        """Return whether the call was to write what no backup writes: a key, or the config."""
        _, _, path = self.request.path.partition(f"/restic/{self.vault_id}/")
        begins = not path and "create" in self.request.GET
        return self.request.method == "POST" and (begins or path.startswith(("keys/", "config")))

    def _credential(self) -> Credential | None:
        """Return whose refusal it is. One at another vault's address is a matter of its own."""
        if self.access is not None:
            return self.access.credential
        return known_caller(self.request.headers.get("Authorization"), self.vault_id)
