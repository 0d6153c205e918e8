"""The computer's file systems: listing, reading, locks, users, attributes, on each platform.

Imports nothing of the agent but its errors; everything may import it.
"""
