"""The agent's extensions in C, each of which may be missing.

Whoever imports one catches ImportError and does the same work in Python; both ways are tested
against each other. The sources are in `csrc/`.
"""
