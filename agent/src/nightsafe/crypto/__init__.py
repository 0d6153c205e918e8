"""Keys, sealing and SHA-256: every byte that leaves the computer is sealed here.

Written in C where that is worth it, with a portable twin that is tested against it. Imports
nothing of the agent but its errors and the workers; everything above may import it.
"""
