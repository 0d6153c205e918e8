"""The service shown at work: a customer, a backup, copies, a restore, and the comparison."""
