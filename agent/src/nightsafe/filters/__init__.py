"""Selects paths: excludes, includes and lists of paths, with stock restic's semantics.

Imports nothing but errors; the scanner, the restorer and the command line import it.
"""
