"""One restore, from a snapshot to a folder, and its verification.

The command line imports it; the archiver and maintenance do not.
"""
