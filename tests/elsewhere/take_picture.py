"""Draw a digit on the page and take the picture of it that is in .github/.

python -m tests.elsewhere.take_picture
"""

import io
import sys

from PIL import Image

from elsewhere.draw_page import SHIPPED_PAGE
from tests.conftest import ROOT
from tests.elsewhere.browser import Browser, find_browser
from tests.elsewhere.drawings import DRAWINGS
from tests.elsewhere.page import Page

PICTURE = ROOT / ".github" / "drawing.png"


def main() -> None:
    program = find_browser()
    if program is None:
        sys.exit("there is no Chromium")
    with Browser(program) as browser:
        page = Page(browser, SHIPPED_PAGE, width=900)
        page.draw(DRAWINGS[3])
        screenshot = Image.open(io.BytesIO(browser.screenshot()))
    screenshot.convert("RGB").quantize(64).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
