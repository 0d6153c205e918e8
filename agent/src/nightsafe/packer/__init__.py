"""From blobs to packs: compress, seal, collect, send, and write the index of them.

The file saver and the archiver import it; it imports the repository and what is below.
"""
