"""Prometheus metrics in text format, from the database."""

from collections.abc import Iterator
from dataclasses import dataclass

from storage.monitoring.rules import Figures, judge

PREFIX = "nightsafe_"


@dataclass(frozen=True)
class Gauge:
    """One figure, for each region or for the service."""

    name: str
    help: str
    values: list[tuple[str, float]]  # (region's alias or "", value)


def gauges(figures: Figures) -> Iterator[Gauge]:
    """Return every figure. Ages in seconds, sizes in bytes."""
    regions = figures.regions
    for name, text, attribute in (
        ("backlog_objects", "Replicas that are still to be made", "waiting"),
        ("backlog_bytes", "Bytes that are still to be copied", "waiting_bytes"),
        ("backlog_age_seconds", "How long the oldest of them has waited", "waiting_age"),
        ("parked_copies", "Replicas that were given up and wait for staff", "parked"),
        ("unread_age_seconds", "Age of the oldest replica never read back", "unread_age"),
        ("scrub_age_seconds", "Time since the oldest read-back", "scrub_age"),
        ("canary_age_seconds", "Time since a canary last came back well", "canary_age"),
    ):
        yield Gauge(name, text, [(one.alias, float(getattr(one, attribute))) for one in regions])
    for name, text, value in (
        ("lost_objects", "Objects without a good replica", figures.lost),
        ("lost_vaults", "Vaults with such objects", figures.lost_vaults),
        ("worker_age_seconds", "Time since a worker was heard of", figures.worker_age),
        ("scrub_silence_seconds", "Time since anything was read back", figures.scrub_silence),
        ("sweep_silence_seconds", "Time since a sweep", figures.sweep_silence),
        ("catalogue_in_doubt", "1 while nothing is destroyed", float(bool(figures.doubt))),
        ("purge_capped", "1 while the purge is at its bound", float(figures.is_capped)),
        ("mail_broken", "1 while mail cannot be sent", float(bool(figures.mail_error))),
        ("alarms", "Alarms at present", len(judge(figures))),
    ):
        yield Gauge(name, text, [("", float(value))])


def exposition(figures: Figures) -> str:
    """Return all of it in Prometheus' text format, version 0.0.4. Aliases need no escaping."""
    lines = []
    for gauge in gauges(figures):
        name = PREFIX + gauge.name
        lines += [f"# HELP {name} {gauge.help}", f"# TYPE {name} gauge"]
        for region, value in gauge.values:
            label = f'{{region="{region}"}}' if region else ""
            lines.append(
                f"{name}{label} {value:g}" if value < 1e6 else f"{name}{label} {value:.0f}"
            )
    return "\n".join(lines) + "\n"
