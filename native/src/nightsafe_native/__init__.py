"""What the server does in C: SHA-256 of several streams side by side (`sha256_mb`).

The extension may be missing; then the same is done in Python. The server's verification imports it.
"""
