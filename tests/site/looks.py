"""What a screenshot looks like, in a few numbers: fonts and smoothing differ between machines, and these hardly do."""

import base64

from playwright.sync_api import Page

COLUMNS = 32

# The picture is painted so small that a line of text is a shade of grey.
SHRINK = """async ([picture, columns]) => {
  const image = new Image()
  image.src = "data:image/png;base64," + picture
  await image.decode()
  const rows = Math.max(1, Math.round(columns * image.height / image.width))
  const canvas = new OffscreenCanvas(columns, rows)
  const context = canvas.getContext("2d")
  context.imageSmoothingQuality = "high"
  context.drawImage(image, 0, 0, columns, rows)
  const { data } = context.getImageData(0, 0, columns, rows)
  return Array.from({ length: columns * rows }, (_, at) =>
    Math.round((data[4 * at] * 2 + data[4 * at + 1] * 5 + data[4 * at + 2]) / 8))
}"""


def look(page: Page, screenshot: bytes) -> bytes:
    """Return the brightness of each cell of the screenshot, row by row."""
    return bytes(page.evaluate(SHRINK, [base64.b64encode(screenshot).decode(), COLUMNS]))


def difference(one: bytes, other: bytes) -> float:
    """Return how far two looks are apart: 0 for the same, 1 for black and white, or of another height."""
    if len(one) != len(other):
        return 1.0
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / (255 * len(one))
