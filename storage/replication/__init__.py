"""Makes replicas in further regions: leases, a fair schedule, transfer, backfill.

Tasks and commands import it; it imports objects and what is below.
"""
