"""The life of a region: added, full, drained, lost, removed; its health and status.

Tasks, commands and staff pages import it.
"""
