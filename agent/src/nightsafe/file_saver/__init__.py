"""Reads files, cuts, hashes and seals them, in this process or in a pool of workers.

The archiver feeds it; it imports the packer and the scanner.
"""
