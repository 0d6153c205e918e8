"""Customers' pages about their vaults.

Nothing imports it but the site's URLs and commands.
"""
