"""The resident agent: it runs this computer's jobs when they are due.

`due` says when, `job_run` runs one in a process of its own, `agent` waits and begins them, and
`status` tells of all. Only the command line imports it.
"""
