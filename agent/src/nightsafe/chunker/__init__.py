"""Where a file is cut into blobs: restic's Rabin fingerprints, and FastCDC.

Imports only what is below it (crypto, the file system); the file saver and the repository
file formats import it.
"""
