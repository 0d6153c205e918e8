"""The folder that a restore writes to, accessed by file descriptors where supported.

Makes, replaces and removes entries without ever following a link out of the target. The restorer
and the file restorer import it.
"""
