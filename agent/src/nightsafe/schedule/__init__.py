"""When a job is due: schedules, windows and daylight saving, as functions of what they are given.

`parsing` reads a schedule's text into `rules`; `windows` says at which hours runs may begin;
`plan` puts both together and answers when a job runs next, also after times that were missed.
Nothing here reads a clock or a file, so a year is tried in seconds. Moments are aware datetimes in
UTC, whole seconds; the clock on the wall is a naive datetime, and `wall_clock` alone turns one
into the other. May be imported by everything that runs jobs or shows them.
"""
