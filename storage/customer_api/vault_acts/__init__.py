"""What a program does to a vault with care: its secrets told once, its keys, its deletion."""
