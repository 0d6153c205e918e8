"""The files of a repository, to the byte: config, keys, packs, indexes, trees, snapshots.

Formats only: nothing here opens a file or a connection. Every package above may import it.
"""
