"""Copies to further regions: leases, a fair order, transfer, backfill.

Tasks and commands import it; it imports objects and what is below.
"""
