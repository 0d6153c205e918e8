"""Cuts files into blobs: FastCDC with a secret table, or restic's Rabin fingerprints.

Imports only lower layers (crypto, the file system); the file saver and the repository file formats
import it.
"""
