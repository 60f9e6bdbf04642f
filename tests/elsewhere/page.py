"""The page to draw on, in a browser: what a hand does there, and what it shows."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from tests.elsewhere.browser import Browser
from tests.elsewhere.drawings import Place

PAPER = 512  # pixels, height and width


class Page:
    """A page with a paper to draw on."""

    def __init__(self, browser: Browser, file: Path, width: int = 1000, dark: bool = False) -> None:
        self.browser = browser
        size = {"width": width, "height": 720, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.send("Emulation.setEmulatedMedia", features=[scheme])
        browser.open(file)
        browser.settle()
        frame = "(r => [r.left, r.top, r.width, r.height])(paper.getBoundingClientRect())"
        self.left, self.top, self.width, self.height = browser.evaluate(frame)

    def on_screen(self, place: Place) -> dict[str, float]:
        """Where a place on the paper is."""
        x, y = place
        return {"x": self.left + x * self.width, "y": self.top + y * self.height}

    def draw(self, strokes: Sequence[Sequence[Place]], pointer: str = "mouse") -> None:
        """Draw with a "mouse" or a "pen"."""
        held = {"pointerType": pointer, "button": "left", "buttons": 1, "clickCount": 1}
        for stroke in strokes:
            kinds = ["mousePressed", *["mouseMoved"] * (len(stroke) - 1), "mouseReleased"]
            for kind, place in zip(kinds, [*stroke, stroke[-1]], strict=True):
                event = {"type": kind, **self.on_screen(place), **held}
                self.browser.post("Input.dispatchMouseEvent", **event)
        self.browser.settle()

    def draw_with_finger(self, strokes: Sequence[Sequence[Place]]) -> None:
        """Draw on a touch screen."""
        for stroke in strokes:
            kinds = ["touchStart", *["touchMove"] * (len(stroke) - 1)]
            for kind, place in zip(kinds, stroke, strict=True):
                event = {"type": kind, "touchPoints": [self.on_screen(place)]}
                self.browser.post("Input.dispatchTouchEvent", **event)
            self.browser.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.browser.settle()

    def press(self, *keys: str, control: bool = False) -> None:
        """Press keys, one after the other."""
        for key in keys:
            event = {"key": key, "modifiers": 2 if control else 0}
            self.browser.send("Input.dispatchKeyEvent", type="rawKeyDown", **event)
            self.browser.send("Input.dispatchKeyEvent", type="keyUp", **event)
        self.browser.settle()

    def put(self, ink: Image.Image) -> None:
        """Lay a picture of ink, mode "L" and as large as the paper, on it."""
        pixels = base64.b64encode(ink.tobytes()).decode()
        self.browser.evaluate(
            f"""{{
                const ink = Uint8Array.from(atob("{pixels}"), (each) => each.charCodeAt(0));
                const pixels = context.createImageData(paper.width, paper.height);
                ink.forEach((value, pixel) => {{ pixels.data[4 * pixel + 3] = value; }});
                context.putImageData(pixels, 0, 0);
                showAnswer();
            }}"""
        )

    def paper(self) -> Image.Image:
        """The picture on the paper, which is transparent."""
        url = self.browser.evaluate("paper.toDataURL()")
        return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))

    def reading(self) -> dict[str, Any] | None:
        """What the page makes of the paper: digit, probability, image (784 values), note."""
        code = "(r => r && { ...r, image: [...r.image.values] })(readDigit(lookAtPaper()))"
        return self.browser.evaluate(code)

    def logits(self, image: Tensor) -> list[float]:
        """The logits that the page computes for `image` (28, 28), 0 to 1."""
        values = f"Float32Array.of({str(image.flatten().tolist())[1:-1]})"
        return self.browser.evaluate(f"computeLogits(new Picture(28, 28, {values}))")

    def text(self, name: str) -> str:
        """The text that an element shows, "" if it is hidden."""
        shown = "(e => e.checkVisibility() ? e.innerText : '')"
        return self.browser.evaluate(f"{shown}(element('{name}'))")
