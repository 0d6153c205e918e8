"""What happened in a vault, for its owner to see: backups, refusals, removals.

Imports models and vaults; whoever commits, removes or answers notes what happened here.
"""
