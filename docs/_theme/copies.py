"""A Markdown copy beside each page, whole, and `llms.txt`, which lists them: for whoever reads the site with a program.

A copy is the page's own source, with what the build puts in: programs, and the reference from the docstrings.
What the fences say to our tests is left out, and links lead from copy to copy.
"""

import html
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urljoin

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure import StructureItem
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

FENCE = re.compile(r"( *)(`{3,})(\w+)(?: \{(.*)\})?")
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")


class Copies:
    """The copies of one build, by where they are on the site, and the pages in their order."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.nav: list[StructureItem] = []


copies = Copies()


def on_pre_build(config: MkDocsConfig) -> None:
    """Begin anew: `mkdocs serve` builds more than once."""
    del config
    global copies
    copies = Copies()
    package.cache_clear()


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Keep the order of the pages."""
    del config, files
    copies.nav = nav.items


@event_priority(100)  # before anything else changes the source
def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> None:
    """Keep the page's copy; what it begins with describes it, for search engines and previews too."""
    lines = Copier(page, files, Path(config.config_file_path).parent).lines(markdown.strip())
    copies.texts[place(page)] = "\n".join(lines) + "\n"
    page.meta.setdefault("description", summary(markdown))


@event_priority(-100)  # after BeautifulSoup, which would write the attribute anew
def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Name the copy in the head of the page."""
    del config
    # With a space, as the attribute holds words: Material takes `[rel=alternate]` for the same site in another
    # language, and would ask for the site map below it.
    link = f'<link rel="alternate " type="text/markdown" title="Markdown" href="{posixpath.basename(place(page))}">'
    return output.replace("</head>", f"{link}</head>", 1)


def on_post_build(config: MkDocsConfig) -> None:
    """Write the copies, and `llms.txt`."""
    said = f"# {config.site_name}\n\n> {config.site_description}\n\n" + "\n".join(listed(copies.nav, config, 2)) + "\n"
    for name, text in {**copies.texts, "llms.txt": said}.items():
        Path(config.site_dir, name).write_text(text, "utf-8")


def listed(items: list[StructureItem], config: MkDocsConfig, level: int) -> Iterator[str]:
    """Yield the lines of `llms.txt` for these pages and sections; a page outside of sections stands first."""
    for page in (item for item in items if isinstance(item, Page)):
        yield f"- [{page.title}]({urljoin(config.site_url or '', place(page))}): {page.meta['description']}"
    for section in (item for item in items if isinstance(item, Section)):
        yield f"\n{'#' * level} {section.title}\n"
        yield from listed(section.children, config, level + 1)


def place(page: Page) -> str:
    """Return where the page's copy is on the site: beside its HTML, under the same name."""
    return page.file.dest_uri.removesuffix(".html") + ".md"


def summary(markdown: str) -> str:
    """Return what the page begins with, in plain words: a sentence, and more where the first are short."""
    prose = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", markdown)
    paragraphs = [each.strip() for each in re.split(r"\n\s*\n", prose)]
    words = ""
    for line in next(each for each in paragraphs if each and each[0] not in "#|<!:").splitlines():
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]|^> ?", lambda found: found[1] or "", line)
        if words and len(words) + len(plain) > 160:
            break
        words = f"{words} {html.unescape(plain)}".strip()
    return words


def untabbed(markdown: str) -> Iterator[str]:
    """Yield the lines of a page, with the tabs one below the other, each under its name."""
    inside = False
    for line in markdown.splitlines():
        tab = re.fullmatch('=== "(.*)"', line)
        inside = bool(tab) or (inside and (not line or line.startswith("    ")))
        yield f"**{tab[1]}**" if tab else line.removeprefix("    ") if inside else line


class Copier:
    """Makes the copy of one page."""

    def __init__(self, page: Page, files: Files, root: Path) -> None:
        self.page, self.files, self.root = page, files, root

    def lines(self, markdown: str) -> Iterator[str]:
        """Yield the lines of the copy."""
        closing = ""
        for line in untabbed(markdown):
            fence = FENCE.fullmatch(line)
            if closing:
                closing = "" if line == closing else closing
                included = re.fullmatch(r'( *)--8<-- "(.+)"', line)
                yield from self.program(included[1], included[2]) if included else [line]
            elif fence:
                indent, ticks, language, said = fence.groups()
                closing = indent + ticks
                title = re.search(r'title="[^"]*"', said or "")
                yield f"{indent}{ticks}{language} {title[0] if title else ''}".rstrip()
            elif line.startswith("::: "):
                yield from reference(line.removeprefix("::: "), self.root)
            elif re.fullmatch("<!-- plot .* -->", line):
                yield "[A plot, drawn on the page.](./)"
            elif not re.fullmatch("<!-- .* -->", line):
                yield LINK.sub(self.link, line)

    def program(self, indent: str, name: str) -> list[str]:
        """Return the lines of a program that the page includes."""
        return [(indent + line).rstrip() for line in (self.root / name).read_text("utf-8").strip().splitlines()]

    def link(self, found: re.Match[str]) -> str:
        """Return where the link to a page's source, or to a file beside it, leads from copy to copy."""
        target = self.files.get_file_from_path(
            posixpath.normpath(posixpath.join(posixpath.dirname(self.page.file.src_uri), found[0]))
        )
        if target is None:
            return found[0]  # mkdocs says what is wrong with it
        found_at = target.dest_uri if target.page is None else place(target.page)
        return posixpath.relpath(found_at, posixpath.dirname(place(self.page)) or ".")


# The reference


@cache
def package(root: Path) -> griffe.Object | griffe.Alias:
    """Read the package, without importing it."""
    return griffe.load("readfresh", search_paths=[root / "src"])


def reference(name: str, root: Path) -> Iterator[str]:
    """Yield what the docstrings say of this name, as mkdocstrings has it: everything public that has one."""
    module, _, rest = name.partition(".")
    assert module == "readfresh", name
    yield from described(package(root)[rest], name, 2)


def described(thing: griffe.Object | griffe.Alias, name: str, level: int) -> Iterator[str]:
    """Yield the heading, the signature and the docstring of a thing, then its members in their order."""
    yield f"{'#' * level} {name}\n"
    if isinstance(thing, griffe.Alias):
        thing = thing.final_target
    if isinstance(thing, griffe.Class):
        yield f"```py\nclass {thing.signature() or thing.name}\n```\n"  # one without an `__init__` of its own has none
    elif isinstance(thing, griffe.Function):
        yield f"```py\n{thing.signature()}\n```\n"
    elif isinstance(thing, griffe.Attribute):
        yield f"```py\n{thing.name}{f': {thing.annotation}' if thing.annotation else ''}\n```\n"
    if thing.docstring:
        yield f"{thing.docstring.value}\n"
    for member in sorted(thing.members.values() if thing.is_class else (), key=lambda each: each.lineno or 0):
        if member.docstring and not member.name.startswith("_"):
            yield from described(member, member.name, level + 1)
