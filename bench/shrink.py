"""Pictures small enough to be kept beside the documents: pages have few colours, so a palette."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image

#: of a page: its own, and the steps between text and ground
_COLOURS: Final = 256
#: a long page of a phone ends here, in pixels
_HEIGHT_MAX: Final = 4_000


def shrink(picture: Path) -> None:
    """Write a picture anew, at a third of its size or less; text looks as before.

    The same picture comes out the same each time: there is no chance in it.
    """
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, _HEIGHT_MAX)))
    few = image.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)
