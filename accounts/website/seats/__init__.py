"""Pages about members: seats, invitations, and the tokens that act for them."""
