"""The website's web process."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from backup_service.gc_tuning import keep_what_is_loaded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
os.environ.setdefault("NIGHTSAFE_ROLE", "site")

application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  # loads all views now, instead of with the first request
keep_what_is_loaded()
