"""Vaults and everything that happens to what is in them: the store behind the service.

The path of an object: `api` takes a request, `uploads` its bytes, `objects` commits it with
its replicas, `replication` makes those, `integrity` keeps them good, `deletion` ends them;
`downloads` reads. `vaults` says who may do what, `stores` keeps the bytes, `regions` and
`monitoring` look after the whole, `website` and `admin` show it. Imports go one way only, and
pyproject.toml has the order.
"""
