"""Reads every computer that somebody sees, for the dashboard."""

from dataclasses import dataclass

from accounts.access import Seat, devices_seen_by
from accounts.models import Device
from billing.models import Plan
from storage.vault_status import running
from storage.vault_status.overview import VaultOverview, overview, vaults_seen_by
from storage.vault_status.protection import Standing
from storage.vault_status.running import Run
from storage.vault_status.summary import URGENT, WORST_FIRST, Summary, severity, summarise


@dataclass(frozen=True)
class Computers:
    """All vaults that somebody sees, the worst first, devices that have none, and what runs now."""

    vaults: list[VaultOverview]
    without_vault: list[Device]
    runs: list[Run]

    @property
    def summary(self) -> Summary:
        """How all of them stand, in a sentence."""
        return summarise([shown.protection.standing for shown in self.vaults])

    @property
    def standing_counts(self) -> list[tuple[Standing, int]]:
        """Each standing that occurs with its number of vaults, the worst first."""
        found = [shown.protection.standing for shown in self.vaults]
        return [(one, found.count(one)) for one in WORST_FIRST if one in found]

    @property
    def urgent(self) -> list[VaultOverview]:
        """Those that somebody should look after."""
        return [shown for shown in self.vaults if shown.protection.standing in URGENT]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing yet."""
        return not self.vaults and not self.without_vault


def computers(seat: Seat, plan: Plan) -> Computers:
    """Return the computers that somebody sees: a fixed number of queries."""
    vaults = vaults_seen_by(seat)
    shown = overview(vaults, plan)
    with_vault = {one.vault.device_id for one in shown}
    return Computers(
        vaults=sorted(shown, key=lambda one: severity(one.protection.standing)),
        without_vault=[one for one in devices_seen_by(seat) if one.pk not in with_vault],
        runs=running.runs_in(vaults),
    )
