"""The Markdown copies of the pages, and `llms.txt`, which lists them."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

import readfresh
from tests.site.build import DOCS, ROOT, BuiltSite, SitePage, page_sources


def copy_of(page: SitePage) -> str:
    """Return the page's copy, by the link in its head."""
    (link,) = page.html.select('head link[rel=alternate][type="text/markdown"]')
    return (page.file.parent / str(link["href"])).read_text("utf-8")


def parsed(text: str) -> list[Token]:
    """Parse the Markdown of a copy, which has tables."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def links(text: str) -> list[str]:
    """Return where the links of a Markdown text lead."""
    inline = [child for token in parsed(text) for child in token.children or ()]
    return [str(child.attrs["href"]) for child in inline if child.type == "link_open"]


def page_named(site: BuiltSite, source: str) -> SitePage:
    """Return the page of this Markdown file."""
    return next(page for page in site.pages if page.source == source)


def test_each_page_has_its_copy(built_site: BuiltSite) -> None:
    """Beside each page is a copy that begins with its title and has its prose, word for word."""
    assert len(built_site.pages) >= 50
    for page in built_site.pages:
        text = copy_of(page)
        assert text.startswith("# "), page.source
        prose = [
            line for line in (DOCS / page.source).read_text("utf-8").splitlines() if re.match(r"[A-Z][^[]*\.$", line)
        ]
        assert set(prose) <= set(text.splitlines()), page.source


def test_a_copy_has_every_program_and_output(built_site: BuiltSite) -> None:
    """Every block of the page is in its copy, with the included programs in it, under a fence that readers know."""
    seen = 0
    for page in built_site.pages:
        text = copy_of(page)
        blocks = [token for token in parsed(text) if token.type == "fence"]
        contents = {re.sub(r"(?m) +$", "", block.content).strip() for block in blocks}
        if not page.source.startswith("reference/api/"):  # whose signatures mkdocstrings breaks into lines
            assert {re.sub(r"(?m) +$", "", block).strip() for block in page.code_blocks} <= contents, page.source
        assert "--8<--" not in text, page.source
        for block in blocks:
            assert re.fullmatch(r'\w+( title="[^"]*")?', block.info), f"{page.source}: {block.info}"
        seen += len(blocks)
    assert seen > 300
    program = (ROOT / "examples/guarantees/read_fresh.py").read_text("utf-8")
    assert program in copy_of(page_named(built_site, "guarantees/read-fresh.md"))


def test_links_lead_from_copy_to_copy(built_site: BuiltSite) -> None:
    """A link to another page leads to its copy, a link to a file to that file, and both are there."""
    seen = 0
    for page in built_site.pages:
        for link in links(copy_of(page)):
            target = urlsplit(urljoin(page.url, link))
            if not target.geturl().startswith(built_site.url):
                continue
            path = built_site.folder / target.path.removeprefix(urlsplit(built_site.url).path)
            assert path.exists(), f"{page.source}: {link}"
            assert path.suffix not in ("", ".html") or link == "./" or link.startswith("#"), f"{page.source}: {link}"
            seen += 1
    assert seen > 300


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("DefaultSessionStore", "default-session-store.md"),
        ("fork_session", "hierarchical-session-store.md"),
        ("LockTimeout", "errors.md"),
    ],
)
def test_the_copy_of_the_reference_has_the_docstrings(built_site: BuiltSite, name: str, source: str) -> None:
    """Where the page has what mkdocstrings makes of the docstrings, the copy has them as they stand in the code."""
    thing = getattr(readfresh, name, None) or getattr(readfresh.HierarchicalSessionStore, name)
    copy = copy_of(page_named(built_site, f"reference/api/{source}"))
    assert str(thing.__doc__).splitlines()[0] in copy
    assert ":::" not in copy


def test_the_copy_of_the_reference_has_every_heading(built_site: BuiltSite) -> None:
    """Whatever has a heading of its own on the page has one in the copy, and nothing else has."""
    seen = 0
    for page in (page for page in built_site.pages if page.source.startswith("reference/api/")):
        on_page = [heading["id"] for heading in page.html.select(".doc-heading")]
        in_copy = re.findall(r"(?m)^#{2,} ([\w.]+)\n\n", copy_of(page))
        assert sorted(str(each).split(".")[-1] for each in on_page) == sorted(each.split(".")[-1] for each in in_copy)
        seen += len(in_copy)
    assert seen > 100


def test_llms_txt_lists_every_copy_once(built_site: BuiltSite) -> None:
    """Each line leads to a copy that is there, and says in plain words what the page says first."""
    text = (built_site.folder / "llms.txt").read_text("utf-8")
    assert re.match(r"# readfresh\n\n> .+\n\n- \[Home\]", text)
    listed = re.findall(r"(?m)^- \[(.+)\]\((.+?)\): (.+)$", text)
    for _, link, words in listed:
        assert (built_site.folder / link.removeprefix(built_site.url)).is_file(), link
        assert re.fullmatch(r"[^`\[\]]{20,}[.:?)]", words), words
    assert len({link for _, link, _ in listed}) == len(listed) == text.count("](") == len(page_sources())


def test_each_page_describes_itself(built_site: BuiltSite) -> None:
    """What search engines and previews are told of a page is its own first sentence; a guarantee's is its promise."""
    described = {}
    for page in built_site.pages:
        (meta,) = page.html.select("meta[name=description]")
        described[page.source] = str(meta["content"])
    assert described["guarantees/read-fresh.md"].startswith("A read that starts after a write has returned sees")
    assert len(set(described.values())) > 0.6 * len(described)
