"""The agent where the world is unkind: an ordinary user, 8-bit locales, disks that fail."""
