"""What the customers' API tells of plan and payments, and the addresses at which one pays.

Nothing imports it but the site's URLs.
"""
