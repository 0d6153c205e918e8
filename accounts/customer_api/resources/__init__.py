"""What the customers' API tells and changes of an account's people: members, tokens, activity.

Nothing imports it but the site's URLs.
"""
