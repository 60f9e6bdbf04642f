#!/usr/bin/env bash
# image-in-browser saves a grey digit of 8 bits, as it comes from a PNG, as a BMP in which the greys
# are numbered in the order in which they come: the first one, the paper, becomes 0, the next one 1.
# A digit of two greys becomes almost black (0 and 1), whatever its greys were. The pixels become
# places in a palette of the greys, and then the palette is not written, but one of 0 to 255. In
# three channels, the digit is saved rightly, and so it is in one channel as a PNG.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts image-in-browser@3.5.3
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0

cat > digit.py <<'PYTHON'
import sys

from PIL import Image

SEVEN = [".........", ".#######.", ".......#.", "......#..", "....+#...", "...+#....", "........."]
GREYS = {".": 230, "+": 120, "#": 20}  # dark ink on bright paper


def rows(name: str) -> list[list[int]]:
    """Return the greys of a picture, row by row."""
    with Image.open(name) as image:
        grey = image.convert("L")
        return [[grey.getpixel((x, y)) for x in range(grey.width)] for y in range(grey.height)]


if sys.argv[1] == "draw":
    image = Image.new("L", (len(SEVEN[0]), len(SEVEN)))
    image.putdata([GREYS[sign] for row in SEVEN for sign in row])
    image.save("digit.png")
else:
    right = [[GREYS[sign] for sign in row] for row in SEVEN]
    numbers = {".": 0, "#": 1, "+": 2}  # the order in which they come, row by row
    print("versions: image-in-browser 3.5.3, Pillow 13.0.0")
    print("guess: the BMP has the greys of the PNG")
    for name in ["digit.png", "one_channel.bmp", "three_channels.bmp", "one_channel.png"]:
        print(f"seen: row 4 of {name}:", *rows(name)[4])
    assert rows("digit.png") == rows("three_channels.bmp") == rows("one_channel.png") == right
    seen = rows("one_channel.bmp")
    assert seen == [[numbers[sign] for sign in row] for row in SEVEN], "it is saved otherwise now"
    print("brightest grey of the BMP:", max(map(max, seen)))
PYTHON
cat > save.mjs <<'NODE'
import { readFileSync, writeFileSync } from "node:fs";
import { decodePng, encodeBmp, encodePng } from "image-in-browser";

const read = () => decodePng({ data: new Uint8Array(readFileSync("digit.png")) });
console.log(`channels of the digit: ${read().numChannels}`);
writeFileSync("one_channel.bmp", encodeBmp({ image: read() }));
writeFileSync("three_channels.bmp", encodeBmp({ image: read().convert({ numChannels: 3 }) }));
writeFileSync("one_channel.png", encodePng({ image: read() }));
NODE
venv/bin/python digit.py draw
node save.mjs
venv/bin/python digit.py compare
