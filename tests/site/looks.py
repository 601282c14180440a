"""What a screenshot looks like, in a few numbers: smoothing differs between machines, and these hardly do."""

import base64
import importlib.metadata
from pathlib import Path

from playwright.sync_api import Page

COLUMNS, ROWS = 12, 24

# The picture is painted so small that a paragraph is a shade of grey.
SHRINK = """async ([picture, columns, rows]) => {
  const image = new Image()
  image.src = "data:image/png;base64," + picture
  await image.decode()
  const canvas = new OffscreenCanvas(columns, rows)
  const context = canvas.getContext("2d")
  context.imageSmoothingQuality = "high"
  context.drawImage(image, 0, 0, columns, rows)
  const { data } = context.getImageData(0, 0, columns, rows)
  return Array.from({ length: columns * rows }, (_, at) =>
    Math.round((data[4 * at] * 2 + data[4 * at + 1] * 5 + data[4 * at + 2]) / 8))
}"""

# One font for everything, so that lines break alike everywhere; the lock has it.
FONT_NAME = "mermaidx/assets/DejaVuSans.ttf"
FONT_CSS = """@font-face { font-family: Everywhere; src: url(FONT) }
*, text { font-family: Everywhere !important; font-weight: 400 !important }"""


def font() -> bytes:
    """Return the font's file."""
    files = importlib.metadata.distribution("mermaidx").files or []
    (file,) = [file for file in files if file.name == Path(FONT_NAME).name]
    return Path(str(file.locate())).read_bytes()


def look(page: Page, screenshot: bytes) -> bytes:
    """Return the brightness of each cell of the screenshot, row by row."""
    return bytes(page.evaluate(SHRINK, [base64.b64encode(screenshot).decode(), COLUMNS, ROWS]))


def difference(one: bytes, other: bytes) -> float:
    """Return how far two looks are apart: 0 for the same, 1 for black and white."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / (255 * len(one))
