"""The processes of an embedded service: which there are, keeping them up, ending them."""
