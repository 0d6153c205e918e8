"""Reads a recovery kit as a person does."""

import re


def code_on(paper: str) -> str:
    """Return the code that stands on a kit of plain text, in the order of its numbers."""
    found = re.findall(r"(\d+)\. +([a-z]+)", paper.partition("Whoever")[0])
    return " ".join(word for _, word in sorted(found, key=lambda one: int(one[0])))
