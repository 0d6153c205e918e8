"""Deletion, from DELETE to the last byte: tombstones, purge, sweep, and the guard over them.

Tasks, commands and the API import it.
"""
