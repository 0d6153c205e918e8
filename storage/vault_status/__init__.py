"""How vaults stand, in figures and in the words that customers read.

Pages, the customers' API, notices and reports show it.
"""
