"""The one place that knows Stripe: everything else sees plans, subscriptions and addresses.

`sync` reads the present state from Stripe and writes the subscription's row; events, the page after
a payment, and the nightly round all end there, so that their order and number do no harm. Nothing
here speaks to Stripe inside a transaction.
"""
