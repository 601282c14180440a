"""What a copy button copies, runs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bs4 import Tag
from playwright.sync_api import Browser, Locator

from tests.full_grid import FULL_GRID
from tests.site.browser import VIEWS, faults_of, reader
from tests.site.build import BuiltSite, SitePage, page_of


@dataclass(frozen=True)
class Shown:
    """A code block as it stands on the page."""

    language: str
    lines: tuple[str, ...]

    @property
    def runs(self) -> str:
        """What of it is run: of a console the commands, of Python all but outputs and marks of remarks."""
        if self.language == "console":
            return "\n".join(line[2:] for line in self.lines if line[:2] == "$ ")
        if self.language == "py":
            lines = (line for line in self.lines if line.lstrip()[:2] != "#>")
            return "\n".join(line.partition("  # (1)!")[0].partition("  # (2)!")[0] for line in lines)
        return "\n".join(self.lines)

    @property
    def prints(self) -> str:
        """What of it is output."""
        if self.language == "console":
            return "\n".join(line for line in self.lines if line[:2] != "$ ")
        return "\n".join(line.lstrip()[3:] for line in self.lines if line.lstrip()[:2] == "#>")


def shown(page: SitePage) -> list[Shown]:
    """Return the blocks of a page in their order."""

    def language(block: Tag) -> str:
        highlight = block.find_parent("div", class_="highlight")
        assert isinstance(highlight, Tag)
        named = re.search(r"language-(\w+)", " ".join(highlight["class"]))
        return named[1] if named else "signature"  # mkdocstrings names none

    blocks = page.html.select("article .highlight pre > code")
    return [Shown(language(block), tuple(block.get_text().rstrip("\n").split("\n"))) for block in blocks]


def choose_tab(button: Locator) -> None:
    """Choose the tab in which this button stands, as its reader does."""
    block = button.locator("xpath=ancestor::div[@class='tabbed-block']")
    number = block.evaluate("block => [...block.parentElement.children].indexOf(block)")
    tabs = block.locator("xpath=ancestor::div[contains(@class, 'tabbed-set')]")
    tabs.locator(".tabbed-labels > label").nth(number).click()


def copied(browser: Browser, site: BuiltSite, pages: list[SitePage]) -> Iterator[tuple[SitePage, list[str]]]:
    """Click every copy button of these pages, and yield what was on the clipboard after each."""
    with reader(browser, site, VIEWS[0]) as it:
        for page in pages:
            it.open(page.address)
            buttons = it.page.locator("article button.md-clipboard, article [data-md-type=copy]")
            texts = []
            for button in buttons.all():
                it.page.evaluate("() => navigator.clipboard.writeText('nothing was copied')")
                if not button.is_visible():
                    choose_tab(button)
                button.click()
                it.page.wait_for_function("async () => await navigator.clipboard.readText() !== 'nothing was copied'")
                texts.append(it.page.evaluate("() => navigator.clipboard.readText()"))
            assert not it.take_complaints()
            yield page, texts


def test_a_remark_stands_behind_a_button_at_its_line(browser: Browser, built_site: BuiltSite) -> None:
    """The mark of a remark becomes a button, and the remark is read by pressing it; axe has nothing against it."""
    with reader(browser, built_site, VIEWS[2]) as it:
        it.open("quickstart/")
        buttons = it.page.locator("article .md-annotation__index")
        assert buttons.count() == 2
        assert it.page.get_by_text("(1)!").count() == 0
        buttons.first.click()
        it.page.get_by_text("The function is called while the lock is held").locator("visible=true").wait_for()
        assert faults_of(it, 1, accessibility=True) == []


def test_a_copy_button_copies_what_runs(browser: Browser, built_site: BuiltSite) -> None:
    """Each block has a button that copies its commands or its program, without prompts and output, and nothing else.

    The normal run clicks on the pages of a sample in which there are blocks of every language, and tabs.
    """
    sample = (
        "quickstart.md",
        "reference/command-line.md",
        "guarantees/no-lost-update.md",
        "reference/file-format.md",
        "recipes/share-between-web-workers.md",
    )
    pages = [page for page in built_site.pages if page.code_blocks and (FULL_GRID or page.source in sample)]
    languages: dict[str, int] = {}
    for page, texts in copied(browser, built_site, pages):
        blocks = shown(page)
        assert len(texts) == len(blocks), f"docs/{page.source}: not every block has a copy button"
        for number, (text, block) in enumerate(zip(texts, blocks, strict=True), 1):
            assert text == block.runs.rstrip(), f"docs/{page.source}: block {number}"
            languages[block.language] = languages.get(block.language, 0) + (block.runs != "\n".join(block.lines))
    assert {"py", "console", "text", "json"} <= set(languages)
    assert languages["py"] >= 5
    assert languages["console"] >= 1


# What is pasted into a Python session and into a terminal in the same folder, and what each has printed.
PASTED = """
import contextlib, io, json, subprocess, sys
seen, names = [], {"__name__": "__main__"}
for language, text in json.load(sys.stdin):
    if language == "py":
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, "<pasted>", "exec"), names)
        seen.append(out.getvalue())
    else:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], text=True, capture_output=True, check=True)
        seen.append(done.stdout)
json.dump(seen, sys.stdout)
"""


def test_what_is_copied_from_the_quickstart_prints_what_it_says(
    browser: Browser, built_site: BuiltSite, tmp_path: Path
) -> None:
    """Whoever pastes every block of the quickstart, in their order, sees what stands on the page."""
    page = page_of(built_site.folder, "quickstart.md")
    ((_, texts),) = copied(browser, built_site, [page])
    blocks = shown(page)
    assert {block.language for block in blocks} == {"py", "console"}
    pasted = json.dumps([[block.language, text] for block, text in zip(blocks, texts, strict=True)])
    done = subprocess.run([sys.executable, "-c", PASTED], cwd=tmp_path, input=pasted, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    for block, printed in zip(blocks, json.loads(done.stdout), strict=True):
        assert printed.rstrip("\n") == block.prints, "\n".join(block.lines)


def test_a_program_says_how_it_is_run(built_site: BuiltSite) -> None:
    """Beside the name of each program whose output follows stands the command that prints it, and beside no other."""
    programs = 0
    for page in built_site.pages:
        for title in page.html.select(".language-py > .filename"):
            block = title.parent
            following = block.find_next_sibling() if block else None
            output = following.select_one(":scope > .filename") if isinstance(following, Tag) else None
            has_output = output is not None and output.get_text() == "Output"
            hint = title.select_one(".filename-run")
            name = str(next(title.strings))
            assert (hint.get_text() if hint else None) == (f"python {name}" if has_output else None), page.source
            programs += has_output
    assert programs >= 40
