"""Pictures of a seven that the tests draw, and of its outline."""

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps


def draw(picture: Image.Image, shape: str, *arguments: object) -> Image.Image:
    """`picture` with a shape on it: a method of ImageDraw, where, and in what colour."""
    getattr(ImageDraw.Draw(picture), shape)(*arguments)
    return picture


def draw_seven(mode="L", paper: object = 255, ink: object = 0, size=(200, 160)) -> Image.Image:
    """A seven of 60x80 pixels, its top left corner at (30, 50)."""
    picture = draw(Image.new(mode, size, paper), "rectangle", (30, 50, 89, 61), ink)
    return draw(picture, "rectangle", (78, 50, 89, 129), ink)


def outline(strokes: Image.Image, line: int) -> Image.Image:
    """A dark line, of this width, around dark strokes on white."""
    around = strokes.filter(ImageFilter.MinFilter(2 * line + 1))
    return ImageOps.invert(ImageChops.subtract(strokes, around))


TWO_SEVENS = ImageChops.darker(draw_seven(), ImageChops.offset(draw_seven(), 85, 0))
