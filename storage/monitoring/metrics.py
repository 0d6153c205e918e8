"""Prometheus metrics in text format, from the database."""

from collections.abc import Iterator
from datetime import datetime

from storage.monitoring import families, service_metrics
from storage.monitoring.families import Family
from storage.monitoring.rules import Figures, judge


def exposition(figures: Figures, now: datetime) -> str:
    """Return all of it."""
    return families.exposition([*_gauges(figures), *service_metrics.families(figures, now)])


def _gauges(figures: Figures) -> Iterator[Family]:
    """Return the figures of what is stored. Ages in seconds, sizes in bytes."""
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
        values = [(f'region="{one.alias}"', float(getattr(one, attribute))) for one in regions]
        yield Family(name, text, values)
    for name, text, value in (
        ("lost_objects", "Objects without a good replica", figures.lost),
        ("lost_vaults", "Vaults with such objects", figures.lost_vaults),
        ("worker_age_seconds", "Time since a worker was heard of", figures.worker_age),
        ("scrub_silence_seconds", "Time since anything was read back", figures.scrub_silence),
        ("sweep_silence_seconds", "Time since a sweep", figures.sweep_silence),
        ("catalogue_in_doubt", "1 while nothing is destroyed", float(bool(figures.doubt))),
        ("purge_capped", "1 while the purge is at its bound", float(figures.is_capped)),
        ("mail_probe_failing_seconds", "For how long the probe fails", figures.probe_failing),
        ("mail_broken", "1 while mail cannot be sent", float(bool(figures.mail_error))),
        ("alarms", "Alarms at present", len(judge(figures))),
    ):
        yield Family.single(name, text, value)
