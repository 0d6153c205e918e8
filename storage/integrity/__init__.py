"""Finds and repairs damage: scrub, repair, reconciliation of stores with the catalogue.

Tasks and commands import it; it imports replication, deletion and what is below.
"""
