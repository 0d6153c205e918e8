"""What the agent is told: where the repository is, who may enter it, and the passphrase.

The command line and the repository import it.
"""
