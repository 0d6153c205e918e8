"""A metric with its values, and how Prometheus reads it (text format, version 0.0.4)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PREFIX = "nightsafe_"


@dataclass(frozen=True)
class Family:
    """One metric. `values`: labels as Prometheus has them, without braces, and a value each."""

    name: str
    help: str
    values: list[tuple[str, float]]
    kind: str = "gauge"

    @classmethod
    def single(cls, name: str, text: str, value: float) -> "Family":
        """Return a gauge of the whole service."""
        return cls(name, text, [("", float(value))])


def exposition(families: Iterable[Family]) -> str:
    """Return the text of metrics. Labels need no escaping: they are words of ours."""
    return "\n".join(line for family in families for line in _lines(family)) + "\n"


def _lines(family: Family) -> Iterator[str]:
    name = PREFIX + family.name
    yield f"# HELP {name} {family.help}"
    yield f"# TYPE {name} {family.kind}"
    for labels, value in family.values:
        named = f"{name}{{{labels}}}" if labels else name
        yield f"{named} {value:g}" if value < 1e6 else f"{named} {value:.0f}"
