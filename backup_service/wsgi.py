"""The website's web process."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
os.environ.setdefault("NIGHTSAFE_ROLE", "site")

application = get_wsgi_application()
