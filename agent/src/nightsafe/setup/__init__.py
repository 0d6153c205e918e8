"""What `nightsafe setup` asks, and the answers: for people at a terminal, or from a file.

Imported by the command line and `resident`; imports `settings`.
"""
