"""Access to vaults: credentials, devices, quota, locks, runs, and the order of events.

Imports models, stores and the database; never what writes or reads objects.
"""
