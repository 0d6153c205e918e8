"""The pages about accounts, and what every page of the site needs.

Only the site's settings and URLs import it.
"""
