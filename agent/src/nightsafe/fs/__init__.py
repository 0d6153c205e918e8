"""File system access on each platform: listing, reading, locks, users, attributes.

Imports nothing of the agent but its errors; every layer may import it.
"""
