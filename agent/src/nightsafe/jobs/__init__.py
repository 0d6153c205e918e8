"""Jobs: what this computer backs up by itself, when, and what became of it.

`job` is one job as it was written down, `jobs_file` the file in which they stand and which people
may edit too, `job_state` what is remembered of each between runs. The resident agent and the
command line import it; it runs nothing.
"""
