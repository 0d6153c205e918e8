"""Processes, threads and the memory that they share.

Knows nothing of backups. Everything above the file system may import it.
"""
