"""Restores a snapshot to a folder, and verifies the result.

The command line imports it; the archiver and maintenance do not.
"""
