"""Storage backends: a local folder, a REST server, or the service, behind one contract.

`base` defines the contract; callers never ask which kind of backend they hold. The repository is
built on top.
"""
