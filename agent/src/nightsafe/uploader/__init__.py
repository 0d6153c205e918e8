"""The spool between the packers and the service, and what sends it in large batches.

The archiver imports it; it imports the backend.
"""
