"""Staff pages about people, and what all staff pages share.

Django's admin imports it by its name; other apps' staff pages import `base`.
"""

from accounts.admin import people

__all__ = ["people"]
