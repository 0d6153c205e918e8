"""The whole service on one computer, from one command: see `__main__`."""
