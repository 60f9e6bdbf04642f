"""What a file is that is no picture, from its first bytes, and what to do with it."""

FIRST_BYTES = 1024  # of a file: so many are looked at

BEGINNINGS = {  # of files that people take for pictures
    b"%PDF": "is a PDF: save its page as PNG",
    b"%!PS": "is a PostScript file: save it as PNG",
    b"8BPS": "is a file of Photoshop's: save it as PNG",
    b"PK\x03\x04": "is a ZIP archive or a document: take the picture out of it",
    b"\x00\x05\x16\x07": "is a Mac's note about another file: leave it out",
    b"\xff\x0a": "is a JPEG XL picture: save it as JPEG or PNG",
    b"\x00\x00\x00\x0cJXL ": "is a JPEG XL picture: save it as JPEG or PNG",
    b"version https://git-lfs": "is a pointer of Git LFS: get the picture with git lfs pull",
}
BRANDS = {  # in the first box of files that consist of boxes
    b"avif": "is an AVIF picture that cannot be read here: save it as JPEG or PNG",
    b"heic": "is a HEIC photo: save it as JPEG or PNG",
    b"heix": "is a HEIC photo: save it as JPEG or PNG",
    b"mif1": "is a HEIF photo: save it as JPEG or PNG",
    b"isom": "is a video: save a picture of it as JPEG or PNG",
    b"mp42": "is a video: save a picture of it as JPEG or PNG",
    b"qt  ": "is a video: save a picture of it as JPEG or PNG",
}
TAGS = {  # in a text that begins with one
    b"<html": "is a web page: download the picture itself",
    b"<!doctype html": "is a web page: download the picture itself",
    b"<svg": "is an SVG drawing: save it as PNG",
}
UNKNOWN = "cannot be read: it is damaged or of another kind; save it as JPEG or PNG"


def what_it_is(start: bytes) -> str:
    """Return what a file is that is no picture and begins with `start`, and what to do."""
    if not start:
        return "is empty: copy or download it again"
    if not start.strip(b"\0"):
        return "has only zeros: copy or download it again"
    for beginning, answer in BEGINNINGS.items():
        if start.startswith(beginning):
            return answer
    if start[4:8] == b"ftyp":
        return first_of(BRANDS, start[8 : int.from_bytes(start[:4])])
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()  # without a byte-order mark
    return first_of(TAGS, text) if text.startswith(b"<") else UNKNOWN


def first_of(answers: dict[bytes, str], content: bytes) -> str:
    """Return the answer to the first key that is in `content`."""
    return next((answers[key] for key in answers if key in content), UNKNOWN)
