"""What a status that no repetition mends means, and what the user can do about it."""

from __future__ import annotations

import json
from difflib import get_close_matches
from http import HTTPStatus

from linnet.errors import LinnetError
from linnet.models.api.endpoint import KEYS, Endpoint, key, without_key

ABOUT_THE_QUESTION = (400, 413, 415, 422)


class Rejected(LinnetError):
    """The server understood the request and will not answer it; `detail` are its words."""

    def __init__(self, message: str, status: int, detail: str) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


def status_name(status: int) -> str:
    """'404 Not Found'."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def detail(body: bytes) -> str:
    """The server's own words in an error body, without any key, 300 characters at most."""
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    for name in ("error", "message", "detail"):
        found = found.get(name, found) if isinstance(found, dict) else found
    words = found if isinstance(found, str) else json.dumps(found)
    return without_key(" ".join(words.split()))[:300]


def rejected(endpoint: Endpoint, status: int, body: bytes, served: list[str]) -> Rejected:
    """The error for a status; served: names of the models the server lists, [] if it does not say."""
    words = detail(body)
    said = f" It says: {words}" if words else ""
    message = (
        f"{endpoint.url} answers {status_name(status)} for model '{endpoint.model}'; "
        f"{_remedy(endpoint, status, served)}.{said}"
    )
    return Rejected(message, status, words)


def _remedy(endpoint: Endpoint, status: int, served: list[str]) -> str:
    if 300 <= status < 400:
        return "it points elsewhere: give the final address as the base URL"
    if status in (401, 403):
        return _key_remedy()
    if endpoint.model not in served and served:
        close = get_close_matches(endpoint.model, served, n=1, cutoff=0.4)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return f"models it serves: {', '.join(served[:20])}{hint}"
    if status == 404:
        return "check the model's name and the base URL, which usually ends in /v1"
    if status == 413:
        return "the image is too large for it: give option max_side (pixels) or image_format=jpeg"
    return "it does not accept the request: check that it is a chat model and, for photos, takes images"


def _key_remedy() -> str:
    known = key()
    if known is None:
        return f"set the environment variable {KEYS[0]} or {KEYS[1]} to your key"
    return f"the key in {known[0]} is not accepted for it: set another"
