"""Staff pages about people, and what all staff pages share.

Django's admin imports it by its name; other apps' staff pages import `base`.
"""

from accounts.admin import mail_log, people, sign_in

__all__ = ["mail_log", "people", "sign_in"]
