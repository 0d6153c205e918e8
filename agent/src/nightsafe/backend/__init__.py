"""Where a repository lies: a folder, a REST server, or the service, behind one contract.

`base` has the contract; callers do not ask which kind they were given. Above it stands the
repository.
"""
