"""Counts objects and their copies as they change, so that no page has to.

Whoever changes an object's state or its replicas says so to `tally`, in the same transaction;
`figures` reads the sums, and `recount` compares them with the rows.
"""
