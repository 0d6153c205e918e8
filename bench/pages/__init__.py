"""Measures pages of a service that holds much, beside the build before."""
