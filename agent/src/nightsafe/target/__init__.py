"""The folder that a restore writes to, entered by file descriptors where the system has them.

Makes, replaces and removes entries without ever following a link out of the target. The
restorer and the file restorer import it.
"""
