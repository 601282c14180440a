"""What a reader does with a code block: the copy button copies what runs, and a program says how it is run."""

import re
from html import escape, unescape

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

BLOCK = re.compile(
    r'<div class="(?P<class>language-(?P<language>py|console) highlight)">'
    r'(?P<title><span class="filename">.*?</span>)?(?P<pre><pre>.*?</pre>)</div>',
    re.S,
)
# A program with a name, and right below it what it prints.
PROGRAM = re.compile(
    r'(<div class="language-py highlight"[^>]*><span class="filename">)([\w./]+\.py)'
    r'(</span><pre>(?:(?!</pre>).)*</pre></div>\s*<div class="language-text highlight"><span class="filename">Output<)',
    re.S,
)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Give each block that shows outputs or prompts the text to copy, and each program the command that runs it."""
    del page, config, files
    html = BLOCK.sub(with_copy, html)
    return PROGRAM.sub(r'\1\2<span class="filename-run">python \2</span>\3', html)


def with_copy(found: re.Match[str]) -> str:
    """Give the block the text that its button copies, where that is not all of it."""
    shown = unescape(re.sub("<[^>]*>", "", found["pre"]))
    copied = runnable(found["language"], shown)
    if copied == shown.strip("\n"):
        return found[0]
    return f'<div class="{found["class"]}" data-copy="{escape(copied)}">{found["title"] or ""}{found["pre"]}</div>'


def runnable(language: str, shown: str) -> str:
    """Return the lines that are run: of a console the commands, of Python all but outputs and marks of remarks."""
    lines = shown.strip("\n").split("\n")
    if language == "console":
        return "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
    # A mark such as `# (1)!` becomes a button for the remark of that number.
    return "\n".join(re.sub(r" +# \(\d+\)!$", "", line) for line in lines if not line.lstrip().startswith("#>"))
