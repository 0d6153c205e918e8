"""Tests here share one real gateway."""

from tests.gateway import alice, gateway, holder

__all__ = ["alice", "gateway", "holder"]
