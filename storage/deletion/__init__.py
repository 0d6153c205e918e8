"""From DELETE to the last byte gone: tombstones, purge and sweep, with what holds them back.

Tasks, commands and the API import it.
"""
