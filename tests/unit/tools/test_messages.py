"""Translations are complete, compiled, and keep what the sentences hold together with."""

import gettext
import io
import re
from pathlib import Path

import pytest

from tools.messages import LOCALE, Catalogue, bare, compiled, messages, read, untranslated, unused

CATALOGUES = sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))
ANY = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])


def known(path: Path) -> Catalogue:
    return read(path.read_text(encoding="utf-8"))


@ANY
def test_nothing_is_missing_and_nothing_is_left_over(path: Path) -> None:
    wanted = set(messages())
    assert len(wanted) > 300
    assert wanted - set(known(path)) == set()
    assert unused(known(path), wanted) == set()
    assert [ids for ids, texts in known(path).items() if not all(texts)] == []


@ANY
def test_what_is_compiled_is_what_is_written(path: Path) -> None:
    """`python -m tools.messages` compiles anew."""
    assert path.with_suffix(".mo").read_bytes() == compiled(known(path))


@ANY
def test_gettext_reads_what_is_compiled(path: Path) -> None:
    found = gettext.GNUTranslations(io.BytesIO(compiled(known(path))))
    for ids, texts in known(path).items():
        if len(ids) == 1 and ids[0]:
            assert found.gettext(ids[0]) == texts[0]
    assert found.ngettext("%(n)d day ago", "%(n)d days ago", 1) == "vor %(n)d Tag"
    assert found.ngettext("%(n)d day ago", "%(n)d days ago", 0) == "vor %(n)d Tagen"


@ANY
def test_values_and_markup_are_the_same(path: Path) -> None:
    def held(text: str) -> list[str]:
        return sorted(re.findall(r"%\(\w+\)[sd]|</?\w+[^>]*>", text))

    for ids, texts in known(path).items():
        for text in texts if ids[0] else ():
            assert held(text) == held(ids[-1]), text


def test_no_template_of_a_customers_page_has_words_of_its_own() -> None:
    assert list(untranslated()) == []


def test_words_outside_of_what_is_translated_are_found() -> None:
    said = '{% load i18n %}<p title="{{ x }}">{% translate "Yes" %} {{ name }} &amp; Nightsafe</p>'
    assert bare(said + "{# a word #}<pre>nightsafe login</pre>") == []
    assert bare(said + '<b aria-label="Close it">{% if x %}Not yet{% endif %}</b>') == [
        "Close it",
        "Not yet",
    ]


def test_texts_go_over_several_lines_and_hold_quotes() -> None:
    text = '# x\nmsgid ""\n"a \\"b\\"\\n"\n"c"\nmsgstr "d"\n\nmsgid "e"\nmsgstr ""\n'
    assert read(text) == {('a "b"\nc',): ("d",), ("e",): ("",)}
    assert b"e\0" not in compiled(read(text))
