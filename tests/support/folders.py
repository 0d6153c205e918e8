"""Where tests of each kind live, so that a stage need not read all the others to find its own."""

FOLDERS = {
    "interop": ("interop",),
    "journey": ("journeys",),
    "hardship": ("hardship",),
    "browser": ("browser",),
}


def paths(kind: str) -> list[str]:
    """Return the folders of a kind of tests, from the top of the checkout."""
    return [f"tests/{folder}" for folder in FOLDERS[kind]]
