"""Staff pages.

Django's admin imports it by its name, and with it every page; nothing else does.
"""

from storage.admin import monitoring, objects, regions, vaults

__all__ = ["monitoring", "objects", "regions", "vaults"]
