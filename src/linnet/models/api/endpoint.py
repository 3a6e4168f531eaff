"""An endpoint is a model at a base URL; its key comes from the environment and is kept nowhere else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from linnet.errors import LinnetError

KEYS = ("LINNET_API_KEY", "OPENAI_API_KEY")
_PLACEHOLDER = 6  # shorter keys are dummies such as 'none' or 'EMPTY': blanking them would eat real text


@dataclass(frozen=True)
class Endpoint:
    """model: name the server knows it by. url: base URL without a slash at the end. server: what cache
    and fingerprint call the server; its URL unless the user named it."""

    model: str
    url: str
    server: str


def endpoint(spec: str, base_url: str | None = None, server: str | None = None) -> Endpoint:
    """The endpoint of 'MODEL@URL', or of 'MODEL' and a base URL; raises LinnetError where one is missing.

    URLs with credentials or a query are refused: they would end up in run folders.
    """
    found = re.fullmatch(r"(.*?)@(https?://.*)", spec)
    model, url = found.groups() if found else (spec, base_url)
    if not model or not url:
        raise LinnetError(
            f"'api:{spec if not found else model}' lacks its {'base URL' if model else 'model name'}; "
            "write api:MODEL@http://HOST:PORT/v1, or give option base_url"
        )
    _check(url)
    url = url.rstrip("/")
    return Endpoint(model, url, server or url)


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LinnetError(f"base URL '{url}' is no http:// or https:// address with a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise LinnetError(
            f"the base URL for {parts.hostname} holds a user name, a password, a query or a fragment; "
            f"leave them out and put the key into the environment variable {KEYS[0]}"
        )


def is_local(url: str) -> bool:
    """Whether the server runs on this machine, so that no proxy is asked for it."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def key() -> tuple[str, str] | None:
    """Name of the environment variable that holds the key, and the key; the first of KEYS that is set."""
    for name in KEYS:
        value = os.environ.get(name, "").strip()
        if value and not (value.isascii() and value.isprintable()):
            raise LinnetError(
                f"the key in {name} holds characters that no HTTP header may hold; copy it again"
            )
        if value:
            return name, value
    return None


def without_key(text: str) -> str:
    """The text with any key of the environment blanked, for words that come from a server."""
    for name in KEYS:
        value = os.environ.get(name, "").strip()
        if len(value) >= _PLACEHOLDER:
            text = text.replace(value, "***")
    return text
