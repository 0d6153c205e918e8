"""What is done to a repository as a whole: check, forget, prune.

The command line imports it; the archiver and the restorer do not.
"""
