"""The export of all that is kept of a person, and of an account for its owner, as a ZIP.

Only the page imports it. `sections.py` says what there is, `archive.py` writes it as it is read.
"""
