"""Members of an account: invitations, seats, and who owns it. Pages and commands call it."""
