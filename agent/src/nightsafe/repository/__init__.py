"""An opened repository: its key, index, locks, and the blobs and trees in it.

Everything that backs up, restores or maintains goes through it.
"""
