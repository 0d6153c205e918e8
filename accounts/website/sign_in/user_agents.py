"""Tells browsers and programs apart in words: "Firefox on Windows"."""

# The first that fits; most browsers claim to be others as well.
_PROGRAMS = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
]
_SYSTEMS = [
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "a Mac"),
    ("Linux", "Linux"),
]


def in_words(user_agent: str) -> str:
    """Return what a browser says of itself, in words."""
    program = _first(_PROGRAMS, user_agent) or "A program that is not known here"
    system = _first(_SYSTEMS, user_agent)
    return f"{program} on {system}" if system else program


def _first(words: list[tuple[str, str]], text: str) -> str:
    return next((word for part, word in words if part in text), "")
