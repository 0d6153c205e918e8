"""Who may do what in a vault: access, credentials, devices, quota, locks, order of events.

Imports models, stores and the database; never what writes or reads objects.
"""
