"""HTTP at the gateway: restic's protocol, the control API, sessions, and what guards them.

Nothing imports it but the gateway's URLs.
"""
