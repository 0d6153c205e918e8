"""What there is to back up, and what changed: listing, excludes, caches, the parent's tree.

Reads no file's content. The file saver and the archiver import it.
"""
