"""Ten digits as strokes, drawn for the tests: lists of places (x, y), 0 to 1 over the paper."""

import math

Place = tuple[float, float]


def arc(x: float, y: float, width: float, height: float, start: int, end: int) -> list[Place]:
    """Part of an ellipse around (x, y); angles in degrees, clockwise from the right."""
    step = 10 if end > start else -10
    angles = [math.radians(angle) for angle in range(start, end + step, step)]
    return [(x + width / 2 * math.cos(a), y + height / 2 * math.sin(a)) for a in angles]


DRAWINGS = [
    [arc(0.5, 0.5, 0.36, 0.6, -100, 260)],
    [[(0.4, 0.34), (0.53, 0.2), (0.52, 0.5), (0.51, 0.8)]],
    [[*arc(0.5, 0.37, 0.34, 0.34, -170, 40), (0.34, 0.78), (0.7, 0.77)]],
    [[*arc(0.48, 0.35, 0.32, 0.3, -150, 90), *arc(0.48, 0.64, 0.38, 0.3, -90, 140)]],
    [[(0.48, 0.2), (0.3, 0.56), (0.7, 0.56)], [(0.6, 0.36), (0.58, 0.82)]],
    [[(0.66, 0.22), (0.4, 0.23), (0.37, 0.46), *arc(0.48, 0.61, 0.36, 0.36, -120, 140)]],
    [[(0.6, 0.2), (0.44, 0.38), *arc(0.51, 0.62, 0.34, 0.34, -180, 180)]],
    [[(0.32, 0.24), (0.68, 0.23), (0.55, 0.5), (0.46, 0.8)]],
    [[*arc(0.5, 0.36, 0.28, 0.28, -30, -270), *arc(0.5, 0.65, 0.34, 0.3, -90, 270), (0.62, 0.3)]],
    [[*arc(0.5, 0.36, 0.3, 0.3, 0, -350), (0.64, 0.4), (0.62, 0.6), (0.56, 0.82)]],
]
