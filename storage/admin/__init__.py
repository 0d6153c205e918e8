"""Staff pages.

Django's admin imports it by its name, and with it every page; nothing else does.
"""

from storage.admin import accounts, monitoring, objects, regions, search, start, vaults

__all__ = ["accounts", "monitoring", "objects", "regions", "search", "start", "vaults"]
