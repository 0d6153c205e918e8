"""Tells an account's people, and their own systems, what they should know.

`notify.notify` writes rows inside whatever transaction finds something out: the notice, and a
delivery for each member who wants mail of its topic and for each endpoint of the account. A worker
sends what is due (`deliver`), again and again until it arrives or is given up. What a notice says
is a `Letter`, made by the function that its kind was registered with; text, HTML, webhook and push
message all come from the same letter.

The apps above register their kinds and call `notify`; nothing here knows them.
"""
