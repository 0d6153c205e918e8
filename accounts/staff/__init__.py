"""The service's staff: what each group of them may see and do, who is in it, and their notes."""
