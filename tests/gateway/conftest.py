"""Tests here share one real gateway."""

from tests.support.gateway import alice, gateway, holder

__all__ = ["alice", "gateway", "holder"]
