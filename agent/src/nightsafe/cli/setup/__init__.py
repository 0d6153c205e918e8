"""The steps of `nightsafe setup`, each of which finds out for itself what is done already.

Imported by the command line alone; imports `setup`, and of `cli` what other verbs do.
"""
