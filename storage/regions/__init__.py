"""The life cycle of regions, their health and status, draining and writing off.

Tasks, commands and staff pages import it.
"""
