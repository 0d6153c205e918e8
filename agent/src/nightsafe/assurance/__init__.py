"""Proof that what was backed up comes back: a drill restores a sample and compares it.

`drill` does that with the means of a restore, `record` remembers how the last one ended. The
command line and the resident agent import it.
"""
