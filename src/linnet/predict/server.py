"""A small local page: one photo in, its lineage out, and nothing is kept."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from linnet.errors import LinnetError
from linnet.evaluate.images import BROKEN, UnreadableError, refuse_large
from linnet.predict.chains import Chains
from linnet.predict.photos import Photo
from linnet.predict.predictions import Predictions, Stop, about_of
from linnet.predict.predictor import Predictor

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src 'self'"
FILES = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}
FILES |= {"/page.css": ("page.css", "text/css")}
SILENCE = 30  # seconds after which a connection that sends nothing is closed
DRAINED = 1 << 20  # bytes of a refused upload that are still read: a browser hears no refusal while it sends


class Page(ThreadingHTTPServer):
    """Serves the page and answers photos that are posted to it.

    most_bytes, most_pixels: larger uploads and pictures are refused before they are read. One photo is scored
    at a time.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        predictor: Predictor,
        stop: Stop,
        most_bytes: int = 20 << 20,
        most_pixels: int = 50_000_000,
    ) -> None:
        self.predictor, self.stop_rule = predictor, stop
        self.most_bytes, self.most_pixels = most_bytes, most_pixels
        self.lock = Lock()
        try:
            super().__init__(address, Handler)
        except OSError as error:
            raise LinnetError(
                f"cannot serve at {address[0]}:{address[1]} ({error.strerror}); give another --port"
            ) from None

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.server_address[0])

    def answer(self, body: bytes) -> dict[str, Any]:
        """What the page shows of a photo; raises UnreadableError for anything else."""
        image = _opened(body, self.most_pixels)
        with self.lock:
            chains = self.predictor.chains([self.predictor.load(image)])
        return self._told(chains)

    def _told(self, chains: Chains) -> dict[str, Any]:
        scaled, taxon = self.stop_rule(chains)
        about = about_of(self.predictor, self.stop_rule)
        (answer,) = Predictions([Photo(Path(), "photo")], scaled, taxon, [""], about)
        chain = [
            {"rank": rank, "name": name, "score": score, "said": rank in answer.lineage}
            for rank, (name, score) in answer.chain.items()
        ]
        return {
            "name": answer.name,
            "rank": answer.rank,
            "score": answer.score,
            "chain": chain,
            "about": about,
        }


def is_loopback(host: str | bytes | bytearray) -> bool:
    """Whether an address is this machine's own."""
    name = host if isinstance(host, str) else bytes(host).decode()
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _opened(body: bytes, most_pixels: int) -> Image.Image:
    try:
        with Image.open(BytesIO(body)) as image:
            refuse_large(image, "the photo", most_pixels)
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        raise UnreadableError("this file is not an image") from None
    except BROKEN as error:
        raise UnreadableError(f"the photo cannot be read: {error}") from None


class Handler(BaseHTTPRequestHandler):
    """GET gives the page, POST /predict with a photo as its body gives JSON."""

    server: Page
    timeout = SILENCE
    server_version, sys_version = "linnet", ""

    def do_GET(self) -> None:
        """The page and its two files."""
        if not self._expected():
            return
        if self.path not in FILES:
            return self._send(404, b"not found", "text/plain")
        name, kind = FILES[self.path]
        return self._send(200, files("linnet.predict").joinpath(name).read_bytes(), f"{kind}; charset=utf-8")

    def do_POST(self) -> None:
        """The answer to one photo, or what is wrong with it."""
        if not self._expected():
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/predict":
            self._send(404, b"not found", "text/plain")
        elif not length.isdecimal():
            self._say(411, {"problem": "the upload does not say how long it is"})
        elif int(length) > self.server.most_bytes:
            self.rfile.read(min(int(length), DRAINED))
            limit = f"the limit is {self.server.most_bytes:,}"
            self._say(413, {"problem": f"the file has {int(length):,} bytes; {limit}"})
        else:
            self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        try:
            self._say(200, self.server.answer(body))
        except UnreadableError as error:
            self._say(422, {"problem": str(error)})

    def _expected(self) -> bool:
        """Refuse requests that other sites make through a name of theirs that points to this machine."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0].strip("[]")
        if self.server.local and not is_loopback(host):
            self._send(403, b"this page is for this machine only", "text/plain")
            return False
        return True

    def _say(self, status: int, value: dict[str, Any]) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of who asked."""
