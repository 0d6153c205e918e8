"""Finds damage: the scrub, and the reconciliation of stores with the catalogue.

What they find the replicator mends, as it makes every copy (`storage/replication`); `repair` is the
operator's command after a region was lost.

Tasks and commands import it; it imports replication, deletion and what is below.
"""
