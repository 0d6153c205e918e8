"""The agent's settings: the repository's location, the credential and the passphrase.

The command line and the repository import it.
"""
