"""Every link of the built site leads somewhere, and nothing on it is fetched from elsewhere.

Links to other sites are not followed: a test that needs the network fails for reasons that are not ours.
They are https, and their hosts stand in a list, so that a typo or a new one is looked at by somebody.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from tests.site.build import OFFLINE, ROOT, BuiltSite

HOSTS = {
    "click.palletsprojects.com",
    "docs.agno.com",
    "docs.python.org",
    "docs.sqlalchemy.org",
    "doi.org",
    "filelock.readthedocs.io",
    "git-scm.com",
    "github.com",
    "man7.org",
    "peps.python.org",
    "platformdirs.readthedocs.io",
    "pubs.opengroup.org",
    "readfresh.example",  # the site itself, as the tests build it
    "rich.readthedocs.io",
    "sqlite.org",
    "squidfunk.github.io",  # Material's own credit in the footer
    "wiki.postgresql.org",
    "www.usenix.org",
    "www.pgbouncer.org",
    "www.postgresql.org",
    "www.sqlite.org",
}
PROSE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


class Html:
    """A file of the built site, and the names that a link to it may end in."""

    def __init__(self, path: Path) -> None:
        self.soup = BeautifulSoup(path.read_bytes(), "html.parser")
        self.anchors = {""} | {str(tag.get("id") or tag.get("name")) for tag in self.soup.select("[id], a[name]")}


def links(soup: BeautifulSoup) -> Iterator[tuple[str, str]]:
    """Yield each address in a page with the tag that holds it."""
    for tag in soup.select("[href], [src]"):
        for name in ("href", "src"):
            if tag.has_attr(name):
                yield tag.name, str(tag[name])


def test_every_link_leads_somewhere(built_site: BuiltSite) -> None:
    """A link within the site ends at a page that exists, at a heading that exists on it."""
    files = {path.relative_to(built_site.folder).as_posix(): Html(path) for path in built_site.folder.rglob("*.html")}
    faults = []
    looked_at = 0
    for name, html in files.items():
        for tag, link in links(html.soup):
            target = urlsplit(urljoin(built_site.url + name, link))
            if target.scheme in ("data", "mailto"):
                continue
            looked_at += 1
            where = f"{name}: <{tag}> {link}"
            if target.scheme != "https":
                faults.append(f"{where}: not https")
            elif f"{target.scheme}://{target.netloc}/" != urljoin(built_site.url, "/"):
                if tag != "a":
                    faults.append(f"{where}: fetched from another site")
                elif target.netloc not in HOSTS:
                    faults.append(f"{where}: {target.netloc} is not in the list of hosts (in this test)")
            else:
                faults += [f"{where}: {fault}" for fault in missing(built_site, files, target.path, target.fragment)]
    assert looked_at > 10 * len(built_site.pages), "hardly a link was looked at"
    assert not faults, "\n".join(sorted(set(faults)))


def missing(site: BuiltSite, files: dict[str, Html], path: str, fragment: str) -> list[str]:
    """Say what of this address does not exist on the site."""
    root = urlsplit(site.url).path
    if not path.startswith(root):
        return [f"outside of {root}"]
    name = unquote(path).removeprefix(root)
    if not name or name.endswith("/"):
        name += "index.html"
    if name not in files:
        return [] if (site.folder / name).is_file() else ["no such page"]
    # `__codelineno` and the like are made for each page; the toggles of Material are ids too.
    return [] if unquote(fragment) in files[name].anchors else [f"no {fragment!r} on that page"]


def test_style_sheets_and_scripts_fetch_nothing(built_site: BuiltSite) -> None:
    """No style sheet of the site names an address on another site."""
    sheets = list(built_site.folder.rglob("*.css"))
    assert len(sheets) >= 3
    for sheet in sheets:
        found = re.findall(r"(?:url\(|@import)\s*[\"']?(https?:|//)[^)]*", sheet.read_text("utf-8"))
        assert not found, f"{sheet.name}: {found}"


@pytest.mark.parametrize("name", PROSE)
def test_links_of_files_beside_the_site(name: str) -> None:
    """A link in the README and its neighbours leads to a file that exists, or to a host in the list."""
    tokens = MarkdownIt("commonmark").parse((ROOT / name).read_text("utf-8"))
    inline = [child for token in tokens for child in token.children or ()]
    for link in [str(child.attrs["href"]) for child in inline if child.type == "link_open"]:
        target = urlsplit(link)
        if target.scheme:
            assert target.scheme == "https", link
            assert target.netloc in HOSTS, f"{link}: its host is not in the list of hosts (in this test)"
        elif target.path:
            assert (ROOT / unquote(target.path)).exists(), f"{name}: {link}"


def test_the_build_may_not_ask_the_network() -> None:
    """What keeps the build from asking the network does keep it: a request under it is refused."""
    program = OFFLINE + "import urllib.request; urllib.request.urlopen('https://readfresh.example/')"
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True)
    assert done.returncode != 0
    assert "the build asked the network" in done.stderr
