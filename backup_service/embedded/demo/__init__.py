"""Demonstrates the service: a customer, a backup, replicas, a restore, and a comparison."""
