"""A model behind an OpenAI-compatible chat endpoint: api:MODEL@http://host:port/v1."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError, unknown
from linnet.models import lines
from linnet.models.api import loop
from linnet.models.api.cache import Cache, default_folder
from linnet.models.api.client import Client
from linnet.models.api.endpoint import endpoint, without_key
from linnet.models.api.form import Form, find_form
from linnet.models.api.lines import ServedLines
from linnet.models.api.patience import Limits
from linnet.models.api.photo import Encoder
from linnet.models.api.questions import Wording, family_of
from linnet.models.api.scorer import ServedScorer
from linnet.models.chat.variants import ALL

PATIENCE_AT_START = 30.0
MAX_TOKENS = 10
PARSERS = ("strict", "legacy")


def matches(folder: Path) -> bool:
    """No folder is a server."""
    return False


def open(
    model: str,
    base_url: str | None = None,
    server: str | None = None,
    protocol: str = "auto",
    parser: str = "strict",
    template: str = "plain",
    modality: str = "image",
    family: str | None = None,
    subject: str | None = None,
    rotations: bool = False,
    max_tokens: int | None = None,
    max_side: int | None = None,
    image_format: str = "png",
    concurrency: int = 16,
    timeout: float = 120.0,
    retries: int = 5,
    patience: float = 300.0,
    cache: str | None = None,
    extra: str | dict[str, Any] | None = None,
) -> ServedScorer:
    """The scorer of a served model; asks the server one test question.

    model: 'MODEL@URL', or 'MODEL' with base_url. server: name for cache and fingerprint in place of the
    URL, for servers that move. protocol: 'letter', 'text', or 'auto' for letters where the server gives
    log-probabilities; 'terraincognita' for all ranks in one reply. max_tokens: length of generated text, 10
    if None, 96 for all ranks. timeout: seconds per attempt. patience:
    seconds without any answer after which the run stops. cache: folder of the response cache. extra:
    JSON object of further request fields. template, modality, family, subject, rotations: as in
    `questions.Wording`; the family is read off the model's name where it is not said. The key is read from
    the environment variable LINNET_API_KEY or OPENAI_API_KEY.

    Raises LinnetError for a bad option, a refusal, and a server that does not answer within 30 s.
    """
    if parser not in PARSERS:
        raise LinnetError(unknown("parser", parser, "model kind 'api'", PARSERS))
    more = _fields(extra)
    limits = Limits(float(timeout), int(retries), float(patience), concurrency=int(concurrency))
    where = endpoint(model, base_url, None if server is None else str(server))
    wording = Wording(template, modality, family or family_of(where.model), subject, bool(rotations))
    encoder = Encoder(image_format, None if max_side is None else int(max_side))
    client = Client(where, limits)
    client.limits = replace(limits, patience=min(limits.patience, PATIENCE_AT_START))
    by_lines = protocol == lines.NAME
    most = int(max_tokens or (lines.MAX_TOKENS if by_lines else MAX_TOKENS))
    form, served_as = loop.run(find_form(client, "text" if by_lines else protocol, most, more))
    _check(wording, form, where.url)
    client.limits = limits
    client.counts.clear()
    folder = Path(cache).expanduser() if cache else default_folder()
    kind = ServedLines if by_lines else ServedScorer
    return kind(client, Cache(folder, where), form, served_as, wording, parser, encoder, more)


def _check(wording: Wording, form: Form, url: str) -> None:
    """Raise LinnetError where several wordings have no log-probabilities to average."""
    if not form.top_logprobs and (wording.rotations or wording.template == ALL):
        raise LinnetError(
            f"template '{ALL}' and rotations average the log-probabilities of letters, and {url} is asked "
            f"for text; give one template ('{wording.template}' is given) and no rotations, or a server that "
            "gives log-probabilities (vLLM, SGLang)"
        )


def _fields(extra: str | dict[str, Any] | None) -> dict[str, Any]:
    """Further request fields; raises LinnetError if they are no JSON object or hold the key."""
    try:
        fields = json.loads(extra) if isinstance(extra, str) else extra or {}
    except ValueError as error:
        raise LinnetError(f"option extra is no JSON ({error}); write it as '{{\"seed\": 1}}'") from None
    if not isinstance(fields, dict):
        raise LinnetError(f"option extra is no JSON object but {type(fields).__name__}")
    if without_key(json.dumps(fields)) != json.dumps(fields):
        raise LinnetError("option extra holds the API key, which would be written to the run; leave it out")
    return fields
