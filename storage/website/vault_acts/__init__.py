"""What is done to a vault with care: its secrets shown once, its keys, its deletion."""
