"""What the service says of itself: figures, alarm rules, alarms, metrics, canary, mail.

Tasks, commands and pages import it; nothing that moves data does.
"""
