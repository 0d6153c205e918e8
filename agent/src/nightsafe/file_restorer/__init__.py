"""Writes files from blobs, a batch at a time, and leaves alone what is right already.

The restorer feeds it; it imports the target, the repository and the workers.
"""
