"""The diagrams that are drawn while the site is built."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.full_grid import FULL_GRID
from tests.site.build import DOCS, BuiltSite, SitePage


def with_diagrams(site: BuiltSite) -> list[SitePage]:
    """Return the pages that have diagrams; there are such."""
    pages = [page for page in site.pages if page.diagrams]
    assert pages
    return pages


def test_a_page_needs_no_script_for_them(built_site: BuiltSite) -> None:
    """Neither Mermaid nor what loads it is in the site, and no page names them."""
    assert not [path for path in built_site.folder.rglob("*") if re.search(r"mermaid.*\.js|diagrams\.js", path.name)]
    for page in built_site.pages:
        assert not [script for script in page.html.select("script") if re.search("mermaid|diagrams", str(script))]


def test_the_rest_of_a_page_is_what_writers_see(built_site: BuiltSite, live_site: BuiltSite) -> None:
    """But for the content of the diagrams and the scripts that draw them, both sites have the same pages.

    The normal run compares every fourth page.
    """

    def rest(page: SitePage) -> str:
        html = BeautifulSoup(page.file.read_bytes(), "html.parser")
        for box in html.select("div.mermaid"):
            box.clear()
            box.attrs = {name: value for name, value in box.attrs.items() if not name.startswith("data-")}
        for script in html.select("script"):
            if re.search("diagrams.js|mermaid.initialize", str(script)):
                script.decompose()
        return re.sub(r"\s+", " ", str(html))

    assert len(built_site.pages) == len(live_site.pages) >= 2
    for built, live in list(zip(built_site.pages, live_site.pages, strict=True))[:: 1 if FULL_GRID else 4]:
        assert rest(built) == rest(live), f"docs/{built.source}"


def test_a_drawing_keeps_to_itself(built_site: BuiltSite) -> None:
    """No two things on a page have one id, every rule of a drawing's style is about that drawing, and nothing runs."""
    for page in with_diagrams(built_site):
        ids = [str(each["id"]) for each in page.html.select("[id]")]
        assert len(ids) == len(set(ids)), f"docs/{page.source}"
        for drawing in page.html.select("div.mermaid > svg"):
            name = str(drawing["id"])
            css = "".join(style.get_text() for style in drawing.select("style"))
            selectors = [each for group in re.findall(r"([^{}]+)\{", css) for each in group.split(",")]
            assert selectors
            assert all(re.match(rf"#{name}\b(?!-)", each) for each in selectors), css
            assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", str(drawing))) <= set(ids)
            assert not drawing.select("script")
            assert not [key for each in drawing.select("*") for key in each.attrs if key.startswith("on")]
            assert "#fe01" not in str(drawing), "a colour that stands in for another"


def test_a_screen_reader_says_what_it_is(built_site: BuiltSite) -> None:
    """Each drawing is an image with a name and a description; nothing of what the fence tells the tests is left."""
    for page in with_diagrams(built_site):
        for box in page.html.select("div.mermaid"):
            assert set(box.attrs) == {"class", "role", "aria-label", "tabindex", "data-drawn"}
            drawing = box.find("svg", recursive=False)
            assert drawing is not None
            assert drawing["role"] == "img"
            assert re.match(r"(Sequence diagram|State diagram|Flowchart): \S", str(drawing["aria-label"]))
            words = drawing.select_one(f"desc#{drawing['aria-describedby']}")
            assert words is not None
            assert " to " in words.get_text(), f"docs/{page.source}"


CONFIG = """
site_name: one page
hooks: [docs/_theme/hooks.py]
plugins:
  - mermaid2: {javascript: assets/diagrams.js}
exclude_docs: /_theme/
markdown_extensions:
  - pymdownx.superfences:
      custom_fences:
        - {name: mermaid, class: mermaid, format: !!python/name:pymdownx.superfences.fence_div_format }
"""


@pytest.fixture
def small_site(tmp_path: Path) -> Path:
    """Give a project of one page whose diagrams are drawn as ours."""
    for name in ("assets", "_theme"):
        shutil.copytree(DOCS / name, tmp_path / "docs" / name)
    (tmp_path / "mkdocs.yml").write_text(CONFIG)
    return tmp_path


def build(project: Path, page: str) -> subprocess.CompletedProcess[str]:
    """Build it with this page."""
    (project / "docs/index.md").write_text(page)
    command = [sys.executable, "-m", "mkdocs", "build"]
    return subprocess.run(command, cwd=project, text=True, capture_output=True)


def test_one_that_cannot_be_drawn_fails_the_build(small_site: Path) -> None:
    """The message names the page, Mermaid's reason and the diagram, also where the build is not strict."""
    done = build(small_site, "# One\n\n```mermaid\nsequenceDiagram\n    A->>B ]]oops\n```\n")
    assert done.returncode != 0
    assert "index.md: a diagram cannot be drawn: Error: Parse error on line 2" in done.stderr
    assert "A->>B ]]oops" in done.stderr


def test_one_that_was_drawn_is_not_drawn_again(small_site: Path) -> None:
    """A drawing is kept for as long as neither its text nor its settings change."""
    page = "# One\n\n```mermaid\nflowchart LR\n    a --> b\n```\n"
    assert build(small_site, page).returncode == 0
    (kept,) = small_site.glob(".cache/diagrams/*.svg")
    drawn = kept.read_text()
    kept.write_text(drawn.replace("<svg", '<svg data-kept="yes"'))
    assert build(small_site, page).returncode == 0
    assert 'data-kept="yes"' in (small_site / "site/index.html").read_text()
    with (small_site / "docs/assets/diagrams.json").open("a") as settings:
        settings.write("\n")
    assert build(small_site, page).returncode == 0
    assert 'data-kept="yes"' not in (small_site / "site/index.html").read_text()
    assert len([*small_site.glob(".cache/diagrams/*.svg")]) == 2
