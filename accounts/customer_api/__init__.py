"""What the customers' API is made of in every app: reading bodies, errors, pages, limits.

`resources` here, `billing/customer_api` and `storage/customer_api` build on it; nothing
else imports it.
"""
