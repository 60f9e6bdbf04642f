#!/usr/bin/env bash
# imantics writes the left top corner of a digit's box where YOLO has its middle: read as YOLO, the
# box lies half of its size too far to the left and too high, and can stick out of the picture. The
# box of a mask is also one pixel too small both ways, since it is the last column minus the first:
# a 1 that is one pixel wide has no width, in COCO as well. A box given as a box keeps its size.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    imantics==0.1.12 opencv-python==5.0.0.93 numpy==2.4.6

cat > boxes.py <<'PYTHON'
from importlib.metadata import version

import numpy
from imantics import Annotation, BBox, Category, Image, Mask

SIZE = 40


def annotation_of(mask):
    """Return the annotation of a digit in a picture of 40 x 40."""
    picture = Image(image_array=numpy.zeros((SIZE, SIZE, 3), numpy.uint8))
    return Annotation(image=picture, category=Category("digit", id=7), mask=Mask(mask))


def box_from_yolo(values):
    """Return left, top, width and height in pixels, as who reads YOLO understands them."""
    _, x, y, width, height = (float(value) for value in values.split())
    box = numpy.array([x - width / 2, y - height / 2, width, height]) * SIZE
    return box.round(3).tolist()


ZERO = numpy.zeros((SIZE, SIZE), bool)
ZERO[4:32, 2:22] = True
ZERO[10:26, 8:16] = False
ONE = numpy.zeros((SIZE, SIZE), bool)
ONE[6:30, 18] = True

print("version: imantics", version("imantics"))
print("guess: left, top, width, height are 2, 4, 20, 28 for the 0, and 18, 6, 1, 24 for the 1")
for name, mask, yolo, coco in [
    ("0", ZERO, [-7.5, -9.5, 19, 27], (2, 4, 19, 27)),
    ("1", ONE, [18, -5.5, 0, 23], (18, 6, 0, 23)),
]:
    annotation = annotation_of(mask)
    seen = box_from_yolo(annotation.yolo())
    box = tuple(int(value) for value in annotation.coco(include=False)["bbox"])
    print(f"seen: the {name}: YOLO {annotation.yolo()!r}, so {seen}; COCO {box}")
    assert seen == yolo and box == coco, "the box is another one now"
    assert annotation.area == mask.sum(), "the area is not right any more"
    again = annotation.polygons.mask(SIZE, SIZE).array
    assert (again == mask).all(), "the polygons are not right any more"
print("seen: area and polygons of both are right")
for given in [(2, 4, 20, 28), (18, 6, 1, 24)]:
    picture = Image(image_array=numpy.zeros((SIZE, SIZE, 3), numpy.uint8))
    box = BBox(given, style=BBox.WIDTH_HEIGHT)
    control = Annotation(image=picture, category=Category("digit", id=7), bbox=box)
    seen = control.coco(include=False)["bbox"]
    print(f"seen: given as a box: COCO {seen}")
    assert seen == given, "a box given as a box has another size now"
PYTHON
venv/bin/python boxes.py
