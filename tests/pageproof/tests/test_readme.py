"""The README's own blocks are a working project."""

from pathlib import Path

import pytest

from tests.pageproof.scan import scan_page

README = Path(__file__).parents[1]

pytest_plugins = ["pytester"]


def test_the_project_of_the_readme_works(pytester: pytest.Pytester) -> None:
    """Its two files, pasted beside a page, prove that page."""
    blocks, problems = scan_page(README, "README.md")
    assert problems == []
    assert [block.get("by") for block in blocks] == ["readme", "readme"]
    for block in blocks:
        (pytester.path / block.attributes["title"]).write_text(block.text)
    (pytester.path / "README.md").write_text("# My library\n\n```py\nprint(1)\n#> 1\n```\n")
    done = pytester.runpytest_inprocess("-p", "no:hypothesispytest")
    done.assert_outcomes(passed=4)
    assert "1 blocks in 1 files (1 py): 1 verified" in done.stdout.str()
