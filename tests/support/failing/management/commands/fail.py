"""A management command that fails."""

from argparse import ArgumentParser

from django.core.management import BaseCommand

from tests.support.failing.secrets import fail


class Command(BaseCommand):
    """`manage.py fail SECRET`."""

    help = "Fail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the secret."""
        parser.add_argument("secret")

    def handle(self, *args: str, **options: str) -> None:
        """Fail with it."""
        fail(options["secret"])
