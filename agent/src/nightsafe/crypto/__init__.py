"""Keys, encryption and SHA-256: every byte that leaves this computer is sealed here.

Hot paths have C extensions, each tested against its portable version. Imports nothing of the agent
but its errors and the workers; every layer above may import it.
"""
