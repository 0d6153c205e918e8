"""`python -m tools.screenshots FOLDER`: pictures of every page, to be looked at.

A website is set up for it alone, with everything in it that a page may have to show, and each page
is taken wide and narrow, light and dark, as everybody who sees it. `--only` takes the pages whose
address holds a text, `--language` another language than English.
"""

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

from tests.support.browser.site import chromium, environment, running
from tests.support.browser.visitor import Scheme
from tests.support.browser.walk import PEOPLE, Walk, faults, fill

LOOKS: list[tuple[int, Scheme]] = list(product((1280, 390), ("light", "dark")))


def main() -> int:
    """Take the pictures; return 1 if something was wrong with a page."""
    args = _parser().parse_args()
    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="nightsafe-screenshots-") as folder:
        env = environment(Path(folder))
        with running(env) as site, chromium() as browser:
            walk = Walk(browser, site, fill(env), language=args.language)
            for who in args.people or PEOPLE:
                found += _take(walk, who, args.folder, args.only)
    print("\n".join(found + walk.failures))
    return 1 if found or walk.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a part of the address")
    parser.add_argument("--language", default="en")
    parser.add_argument("--people", nargs="*", choices=PEOPLE)
    return parser


def _take(walk: Walk, who: str, folder: Path, only: str) -> list[str]:
    found = []
    looks = {(width, scheme): walk.visitor(who, width, scheme) for width, scheme in LOOKS}
    for stop in walk.stops(who):
        if only not in stop.path:
            continue
        for (width, scheme), visitor in looks.items():
            found += faults(visitor, stop)
            target = folder / f"{width}-{scheme}" / f"{stop.name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            visitor.page.screenshot(path=target, full_page=True)
    for visitor in looks.values():
        visitor.context.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
