"""The kind of store that is a directory, for instance on a drive of its own.

Bytes are staged, fsynced, and published by a hard link, which fails if the name is taken; then
the directories are fsynced.
"""
