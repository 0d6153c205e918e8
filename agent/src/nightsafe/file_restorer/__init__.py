"""Writes files from blobs in batches, and keeps files that are already correct.

The restorer passes files to it; it imports the target, the repository and the workers.
"""
