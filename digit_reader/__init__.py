"""Read the handwritten digit in a picture with the network of mnist_classifier.py.

A picture shows one digit, light or dark, anywhere in it, or several.
`python -m digit_reader photo.jpg` is the command line. README.md, beside this file, tells how well
that works.
The thresholds were tuned on training digits that were redrawn as people's pictures look, and on
real pictures.

reader.py goes through all of the steps, and page.py, if all digits of a picture are wanted;
drawing.py draws these.
The steps are, in the order in which a picture takes them, and in which they may import from each
other:

    files.py       tells what a file is that is no picture
    picture.py     opens a file
    gray.py        makes grey values of it
    ink.py         tells the ink from the paper
    pieces.py      finds the connected pieces of the ink
    outlines.py    fills in a digit of which only the outline is drawn
    grids.py       tells printed lines from a digit across them
    frames.py      takes off a box around the digit, ruled lines, a thumb
    sheets.py      cuts out a sheet of paper on a desk
    parts.py       joins the pieces of the digit
    lines.py       tells several digits apart, and puts them in order
    digit.py       makes 28x28 pixels of each

    geometry.py    boxes and shapes, for all of these
"""

from digit_reader.page import Digit, read_digits
from digit_reader.picture import open_picture
from digit_reader.reader import SURE, Reading, read_digit, read_pictures, to_mnist

__all__ = [
    "SURE",
    "Digit",
    "Reading",
    "open_picture",
    "read_digit",
    "read_digits",
    "read_pictures",
    "to_mnist",
]
