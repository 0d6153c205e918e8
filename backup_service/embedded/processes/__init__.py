"""The processes of an embedded service, and their supervision."""
