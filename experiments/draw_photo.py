"""Draw what looks like a photo of a 5 that somebody wrote, with a shadow across it.

It is made of curves and random numbers alone: of no real picture, and of nobody's handwriting.
`python -m experiments.draw_pictures photo` writes it into tests/.
"""

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

WIDTH, HEIGHT = 720, 540  # pixels
FINER = 4  # the pen draws on pixels so many times finer, which are averaged then

Point = tuple[float, float]  # right and down, as shares of the digit's size

# The strokes, in the order of writing. Each is a row of cubic Bezier curves, of four points each.
STROKES: list[list[list[Point]]] = [
    [
        [(0.38, 0.07), (0.35, 0.18), (0.29, 0.32), (0.27, 0.47)],  # down
        [(0.27, 0.47), (0.37, 0.36), (0.74, 0.35), (0.76, 0.63)],  # and round
        [(0.76, 0.63), (0.78, 0.87), (0.48, 1.03), (0.15, 0.90)],
    ],
    [[(0.36, 0.09), (0.50, 0.11), (0.66, 0.02), (0.84, 0.05)]],  # the bar
]
DIGIT_LEFT, DIGIT_TOP, DIGIT_SIZE = 215, 110, 310  # pixels
PEN_RADIUS = 8.5  # pixels
TREMBLE = 0.8  # pixels, standard deviation of the way off the curve
UNEVEN = 0.06  # of the pen's radius, standard deviation
STEPS = 400  # dots for each curve

PAPER = torch.tensor([0.95, 0.93, 0.87])  # red, green, blue
INK = torch.tensor([0.12, 0.17, 0.45])
SHADOW = 0.42  # of the light is missing in the shadow
SHADOW_EDGE = 0.012  # of the width: how soft its edge is
NOISE = 0.022  # of full brightness, standard deviation


def draw_photo() -> Image.Image:
    """Return the photo, the same each time."""
    generator = torch.Generator().manual_seed(1)
    ink = write_digit(generator)
    ink *= 0.93 + 0.05 * rough(60, generator)  # it does not cover everywhere alike
    ink = ink.clamp(0, 1).unsqueeze(2)  # (H, W, 1)
    colours = PAPER * (1 - ink) + INK * ink  # (H, W, 3)
    picture = colours * shine_light(generator).unsqueeze(2)
    picture += NOISE * torch.randn(picture.shape, generator=generator)
    return Image.fromarray((255 * picture.clamp(0, 1)).byte().numpy())


def write_digit(generator: torch.Generator) -> Tensor:
    """Return how much ink the pen leaves at each pixel (H, W), 0 to 1."""
    page = Image.new("L", (WIDTH * FINER, HEIGHT * FINER))
    draw = ImageDraw.Draw(page)
    for stroke in STROKES:
        for x, y, radius in pen_dots(stroke, generator).tolist():
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    soft = page.reduce(FINER).filter(ImageFilter.GaussianBlur(0.8))  # not quite in focus
    values = torch.frombuffer(bytearray(soft.tobytes()), dtype=torch.uint8)
    return values.view(HEIGHT, WIDTH) / 255


def pen_dots(stroke: list[list[Point]], generator: torch.Generator) -> Tensor:
    """Return the dots (N, 3) of a stroke: x, y and radius, in the finer pixels."""
    way = torch.cat([bezier(torch.tensor(curve)) for curve in stroke])  # (N, 2)
    corner = torch.tensor([DIGIT_LEFT, DIGIT_TOP])
    hand = torch.randn(1, 3, 2 + 4 * len(stroke), generator=generator)
    hand = F.interpolate(hand, len(way), mode="linear", align_corners=True)[0].T  # (N, 3)
    progress = torch.linspace(0, 1, len(way))
    pressure = (0.75 + 3 * progress).clamp(max=1) * (4.45 - 4 * progress).clamp(max=1)
    radius = PEN_RADIUS * pressure * (1 + UNEVEN * hand[:, 2])
    places = corner + DIGIT_SIZE * way + TREMBLE * hand[:, :2]
    return FINER * torch.cat([places, radius.unsqueeze(1)], dim=1)


def bezier(points: Tensor) -> Tensor:
    """Return STEPS places (STEPS, 2) on the cubic Bezier curve of four `points` (4, 2)."""
    t = torch.linspace(0, 1, STEPS)
    s = 1 - t
    shares = torch.stack([s**3, 3 * s**2 * t, 3 * s * t**2, t**3], dim=1)  # (STEPS, 4)
    return shares @ points


def shine_light(generator: torch.Generator) -> Tensor:
    """Return how much light the paper sends back at each pixel (H, W), 0 to 1."""
    down = torch.linspace(0, 1, HEIGHT).unsqueeze(1)  # (H, 1)
    right = torch.linspace(0, 1, WIDTH)  # (W,)
    lamp = 0.8 + 0.2 * right - 0.08 * down
    beside_shadow = right - 0.5 - 0.24 * torch.sin(3.4 * (down - 0.47))
    shadow = torch.sigmoid(-beside_shadow / SHADOW_EDGE)
    fibres = 1 + 0.008 * rough(40, generator) + 0.006 * rough(160, generator)
    return lamp * (1 - SHADOW * shadow) * fibres


def rough(cells: int, generator: torch.Generator) -> Tensor:
    """Return normal random numbers (H, W) that change from cell to cell; so many make the width."""
    points = torch.randn(1, 1, cells * HEIGHT // WIDTH, cells, generator=generator)
    return F.interpolate(points, (HEIGHT, WIDTH), mode="bicubic")[0, 0]
