"""Benchmarks against stock restic and Borg, on data that anyone can build again."""
