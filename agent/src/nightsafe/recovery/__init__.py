"""The recovery kit: a sheet of paper with a second key of the vault, made and tested here.

Imported by the command line; imports `repository`, `settings` and what is below them.
"""
