"""What developers run: all checks, and all tests in stages."""
