"""Lock order, bulk inserts, lent connections, jobs of which one runs at a time, and elapsed time.

Knows no model's meaning; everything above the models may import it.
"""
