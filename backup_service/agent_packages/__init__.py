"""The agent as customers download it: made from its source once, listed and handed out by the site.

`python -m backup_service.agent_packages` makes it, without Django; `catalogue` reads what was made.
"""
