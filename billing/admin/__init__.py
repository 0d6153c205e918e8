"""Staff pages about plans and payments.

Django's admin imports it by its name, and with it every page; `storage.admin` has the acts on its
page of an account.
"""

from billing.admin import payments, plans

__all__ = ["payments", "plans"]
