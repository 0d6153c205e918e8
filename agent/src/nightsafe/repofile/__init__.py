"""Encodes and decodes the files of a repository: config, keys, packs, indexes, trees, snapshots.

Formats only: nothing here opens a file or a connection. Every layer above may import it.
"""
