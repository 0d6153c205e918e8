"""How rows are locked in order, inserted in bulk, lent to threads, and run by one at a time.

Knows no model's meaning; everything above the models may import it.
"""
