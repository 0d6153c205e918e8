"""Which paths are meant: excludes, includes and lists of paths, as stock restic reads them.

Imports nothing but errors; the scanner, the restorer and the command line import it.
"""
