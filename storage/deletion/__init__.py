"""Deletion, from DELETE to the last byte: tombstones, purge, sweep, and the guard over them.

The purge ends rows whose grace is over; the sweep is what removes bytes.

Tasks, commands and the API import it.
"""
