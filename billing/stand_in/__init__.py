"""A stand-in for Stripe: a server of its own that the `stripe` library drives. No real money.

It is for `make run`, tests and journeys. Nothing of the service imports it, and it imports nothing
of the service: the two speak HTTP. What it does as Stripe does, and what it does not, is written
down in docs/payments-stand-in.md.
"""
