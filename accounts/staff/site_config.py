"""Makes Django's admin ours."""

from django.contrib.admin.apps import AdminConfig


class StaffSiteConfig(AdminConfig):
    """Django's admin with our site."""

    default_site = "accounts.staff.staff_site.StaffSite"
