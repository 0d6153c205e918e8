"""Finds what to back up and what changed: listing, filters, caches, the parent's trees.

Reads no file's content. The file saver and the archiver import it.
"""
