"""What goes into the logs, in which form, and what never does: secrets.

`requests.RequestLog` writes one line about each request, `formats` turns records into lines,
`secrets_out` takes out of every line what looks like a secret. `error_reports` tells an operator's
Sentry where errors come up. Settings and processes import this.
"""
