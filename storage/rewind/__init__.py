"""Brings back what was removed from a vault, within the grace period, to a moment of its history.

Pages, commands and tasks import it.
"""
