"""The service shown at work: a customer, a backup, replicas, a restore, and the comparison."""
