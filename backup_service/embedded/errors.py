"""What may go wrong while starting. Every text is for the person at the terminal."""


class LaunchError(Exception):
    """The service cannot be started or kept up; the text says what to do."""


class DataDirectoryError(LaunchError):
    """The data directory cannot be used."""


class AlreadyRunningError(LaunchError):
    """Another launcher holds the data directory."""


class PortTakenError(LaunchError):
    """Another program listens where the website should."""
