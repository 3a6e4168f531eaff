"""A photo becomes a small JPEG inside the page."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.evaluate.images import UnreadableError, open_image

SIDE, QUALITY = 144, 78  # pixels of the longer side; about 5 kB a photo


def thumbnail(bank: Bank, row: int) -> str | None:
    """Data URI of a row's photo, or None where it is not there or no picture.

    Photos are read below the bank's image root only.
    """
    if bank.image_root is None or not str(bank.image[row]):
        return None
    try:
        picture = open_image(bank, row)
    except (UnreadableError, LinnetError):
        return None
    picture.thumbnail((SIDE, SIDE))
    out = BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + b64encode(out.getvalue()).decode("ascii")
