"""One backup, from paths to a snapshot.

The command line imports it; the restorer and maintenance do not.
"""
