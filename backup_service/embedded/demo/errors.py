"""What may go wrong in the demonstration. Every text is for the person at the terminal."""

from backup_service.embedded.errors import LaunchError


class DemoError(LaunchError):
    """A step failed; the text says what to do, or what the failing part said."""


class SourceError(DemoError):
    """What is to be backed up cannot be."""
