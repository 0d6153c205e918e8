"""Accounts and people that leave: the export of all that is kept, and the erasure of it.

Closing itself is in `accounts/closing/`; here are the steps that follow. Vaults go first, their
keys before all else, by the one way in which objects are removed (`deletion/`). Tasks, commands
and pages import it.
"""
