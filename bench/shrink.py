"""Pictures small enough to be kept beside the documents: pages have few colours, so a palette."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image

#: of a palette; a page has its own thirty or so, and the steps between text and ground
_COLOURS: Final = 256
#: a long page of a phone ends here, in pixels
_HEIGHT_MAX: Final = 4_000

Colour = tuple[int, int, int]


def shrink(picture: Path) -> None:
    """Write a picture anew, at a third of its size or less.

    The colours that are most of it stay exactly as they are, the rest become the nearest of them.
    """
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, _HEIGHT_MAX)))
    data = image.tobytes()
    pixels: list[Colour] = list(zip(data[0::3], data[1::3], data[2::3], strict=True))
    counts: dict[Colour, int] = {}
    for one in pixels:
        counts[one] = counts.get(one, 0) + 1
    kept = sorted(counts, key=lambda one: (-counts[one], one))[:_COLOURS]
    places = {one: _nearest(one, kept) for one in counts}
    few = Image.frombytes("P", image.size, bytes(places[one] for one in pixels))
    few.putpalette([part for one in kept for part in one])
    few.save(picture, optimize=True)


def _nearest(colour: Colour, kept: list[Colour]) -> int:
    """The place of the colour that is most like it."""

    def far(place: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, kept[place], strict=True))

    return min(range(len(kept)), key=far)
