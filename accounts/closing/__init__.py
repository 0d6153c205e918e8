"""Closing an account: freezing it, opening it again, and the steps on the way to its erasure.

Pages, commands and the other apps call it. Payments and vaults are erased by the apps that have
them; each takes the steps that are its own from the same list (`work.py`).
"""
