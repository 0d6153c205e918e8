"""Finds out what an account's people should know of their backups, and has it told.

Late backups, a plan that fills up, and reports. What happens at one moment (a new credential, a
removal of everything) is told where it happens; its words are in `letters`.
"""
