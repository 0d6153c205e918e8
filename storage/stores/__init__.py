"""A region's store: the contract, its kinds (a folder, memory, S3), and their configuration.

Holds bytes under keys and knows nothing of vaults. Everything above may import it.
"""
