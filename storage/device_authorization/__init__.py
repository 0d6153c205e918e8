"""Connects a computer by a code that its owner confirms in a browser, after RFC 8628.

The program asks for two codes (`begin`), shows the short one, and polls with the long one
(`collect`); its owner types the short one on the website and decides (`decide`). No secret is
stored on the way: the credential is made when the program comes for it.
"""
