"""Pictures of a seven that the tests draw."""

from PIL import Image, ImageChops, ImageDraw


def draw(picture: Image.Image, shape: str, *arguments: object) -> Image.Image:
    """`picture` with a shape on it: a method of ImageDraw, where, and in what colour."""
    getattr(ImageDraw.Draw(picture), shape)(*arguments)
    return picture


def draw_seven(mode="L", paper: object = 255, ink: object = 0, size=(200, 160)) -> Image.Image:
    """A seven of 60x80 pixels, its top left corner at (30, 50)."""
    picture = draw(Image.new(mode, size, paper), "rectangle", (30, 50, 89, 61), ink)
    return draw(picture, "rectangle", (78, 50, 89, 129), ink)


TWO_SEVENS = ImageChops.darker(draw_seven(), ImageChops.offset(draw_seven(), 85, 0))
