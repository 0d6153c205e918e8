"""Staff pages.

Django's admin imports it by its name, and with it every page; nothing else does.
"""

from storage.admin import objects, regions, vaults

__all__ = ["objects", "regions", "vaults"]
