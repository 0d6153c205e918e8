"""An opened repository: its key, index and locks, and the blobs and trees in it.

Backup, restore and maintenance all go through it.
"""
