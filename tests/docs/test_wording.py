"""How the pages are written: one sentence a line, no empty promises, one title, links that lead somewhere."""

import re
from itertools import pairwise

import pytest

from tests.docs.pages import EVERY, SITE, Page
from tests.docs.proof import ROOT
from tests.pageproof.play import read_yaml

EACH = pytest.mark.parametrize("page", EVERY, ids=[page.path for page in EVERY])

# Each hides who does what, when: say that instead.
FORBIDDEN = re.compile(r"\b(should|usually|safe|safely|robust|robustly|simply|just)\b", re.IGNORECASE)
ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|etc|vs|cf)\.")
SENTENCE_END = re.compile(r"[.!?][\"')\]*_]* +[\"'(\[*_]*[A-Z`]")


def _words(line: str) -> str:
    """Leave out inline code, the targets of links, and the dots that end no sentence."""
    line = re.sub(r"`[^`]*`", "`x`", line)
    line = re.sub(r"^\s*\d+[.)] ", "", line)
    line = re.sub(r"^(\W*)\*\*[^*]+\*\*", r"\1", line)  # a label in bold, such as **Note.**, is no sentence
    return ABBREVIATIONS.sub("eg", re.sub(r"\]\([^)]*\)", "]", line))


def _report(page: Page, found: list[tuple[int, str]]) -> None:
    assert not found, "\n".join(f"{page.path}:{number}: {said}" for number, said in found)


def test_there_are_pages() -> None:
    """Nothing below looks at nothing."""
    assert len(SITE) >= 20
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md"} <= {page.path for page in EVERY}


def test_the_rules_see_what_they_forbid() -> None:
    """Each rule finds what it is for, and leaves alone what only looks like it."""
    assert FORBIDDEN.search(_words("It should work."))
    assert FORBIDDEN.search(_words("**Note.** Simply call it."))
    assert not FORBIDDEN.search(_words("`should` and [here](just.md), adjusted."))
    for two in ("One. Two.", "One! `two` too.", "(One.) Two.", "One.  *Two*.", "- One? Two."):
        assert SENTENCE_END.search(_words(two)), two
    for one in ("One, e.g. Two.", "`a. B` is one.", "**Note.** One.", "1. One.", "One (two. three).", "1.5 Two"):
        assert not SENTENCE_END.search(_words(one)), one
    assert all(_is_text(line) for line in ("text", "    text", "> text", "*text*", "`text`"))
    assert not any(_is_text(line) for line in ("- text", "1. text", "!!! note", "::: x", "<div>", ""))


@EACH
def test_no_forbidden_words(page: Page) -> None:
    """Words that promise without saying what are not used; inline code may name them."""
    words = [(number, _words(line)) for number, line in page.prose]
    _report(page, [(number, found[0]) for number, line in words for found in FORBIDDEN.finditer(line)])


@EACH
def test_one_sentence_per_line(page: Page) -> None:
    """A line of prose holds one sentence, so that a change of one sentence is a change of one line."""
    prose = [(number, _words(line)) for number, line in page.prose if not line.lstrip().startswith(("|", "#"))]
    many = [(number, f"two sentences: {found[0]!r}") for number, line in prose if (found := SENTENCE_END.search(line))]
    broken = [
        (number, "a sentence goes on in the next line")
        for (number, line), (after, below) in pairwise(prose)
        if after == number + 1 and _is_text(line) and _is_text(below) and not re.search(r"[.!?:;][\"')\]*_]*$", line)
    ]
    _report(page, many + broken)


def _is_text(line: str) -> bool:
    """Tell a line of a paragraph from markup, and from the line that begins a list item."""
    return bool(re.match(r"\s*(> )?[\"'(\[*_`]*\w", line)) and not re.match(r"\s*(\d+[.)] |[-*+] |\w+: \w+$)", line)


@EACH
def test_one_title(page: Page) -> None:
    """A page has one h1, and it comes first."""
    headings = [(number, line) for number, line in page.prose if re.match(r"#+ ", line)]
    titles = [number for number, line in headings if line.startswith("# ")]
    assert len(titles) == 1, f"{page.path}: {len(titles)} titles"
    assert headings[0][0] == titles[0], f"{page.path}:{headings[0][0]}: a heading above the title"


@EACH
def test_links_lead_to_files(page: Page) -> None:
    """A relative link leads to a file of the project; tests/site looks at the names behind `#`."""
    folder = (ROOT / page.path).parent
    lines = [(number, re.sub(r"`[^`]*`", "", line)) for number, line in page.prose]
    links = [(number, link) for number, line in lines for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line)]
    relative = [(number, link) for number, link in links if not re.match(r"[a-z]+:", link)]
    _report(page, [(number, f"no file {link}") for number, link in relative if not (folder / link).exists()])


def test_every_page_is_in_the_navigation() -> None:
    """The navigation lists each page of the site once, and nothing else."""
    listed: list[str] = []

    def walk(entry: object) -> None:
        if isinstance(entry, str):
            listed.append(entry)
        for inner in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
            walk(inner)

    walk(read_yaml((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    assert sorted(f"docs/{path}" for path in listed) == [page.path for page in SITE]
