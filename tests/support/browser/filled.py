"""`python -m tests.support.browser.filled`: fills a database, and prints what to look at."""

import json
import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
    django.setup()
    from tests.support.browser.addresses import addresses
    from tests.support.browser.filling import fill

    filled = fill()
    print(json.dumps(filled | {"addresses": addresses(filled)}))
