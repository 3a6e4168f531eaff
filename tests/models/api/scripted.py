"""A chat server on loopback that behaves as a test tells it to."""

import contextlib
import hashlib
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Behaviour = Callable[["Handler", Body], None]

VOCABULARY = ["A", "B", "C", "D", " A", " B", "The", "\n"]


def question_of(body: Body) -> str:
    """Text of the last message."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def logits(text: str) -> list[float]:
    """Made-up logits of VOCABULARY after a question; the same text gives the same."""
    digest = hashlib.sha256(text.encode()).digest()
    return [byte / 40 for byte in digest[: len(VOCABULARY)]]


def token_logprobs(text: str) -> list[tuple[str, float]]:
    """Tokens with their log-probabilities, best first."""
    raw = logits(text)
    total = math.log(sum(map(math.exp, raw)))
    return sorted(
        ((token, value - total) for token, value in zip(VOCABULARY, raw, strict=True)), key=lambda t: -t[1]
    )


def completion(text: str, top: list[tuple[str, float]] | None = None, **more: Any) -> Body:
    """A chat completion as servers write it."""
    choice: Body = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
    if top is not None:
        listed = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token, value in top]
        choice["logprobs"] = {"content": [{**listed[0], "top_logprobs": listed}]}
    return {"object": "chat.completion", "model": "tiny-1", "choices": [choice], **more}


class Handler(BaseHTTPRequestHandler):
    """One request: kept in the server's list, then given to its behaviour."""

    server: "ScriptedServer"

    def do_GET(self) -> None:
        self.json(200, {"data": [{"id": "tiny"}, {"id": "other"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.behave(self, body)

    def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(value).encode(), headers)

    def cut(self) -> None:
        """Promise more than is sent, then reset the connection."""
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"mess')
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()


class ScriptedServer(ThreadingHTTPServer):
    """asked: headers and bodies so far. behave: what is done with the next request."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behave: Behaviour, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.behave = behave
        self.asked: list[tuple[dict[str, str], Body]] = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def port(self) -> int:
        return self.server_address[1]

    def stop(self) -> None:
        """Stop listening; requests under way end by themselves."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that left are what some tests are about."""


Serve = Callable[..., ScriptedServer]


def with_logprobs(handler: Handler, body: Body) -> None:
    top = token_logprobs(question_of(body)) if body.get("logprobs") else None
    usage = {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 40}}
    handler.json(200, completion(token_logprobs(question_of(body))[0][0], top, usage=usage))


def text_only(answer: Callable[[str], str]) -> Behaviour:
    def behave(handler: Handler, body: Body) -> None:
        handler.json(200, completion(answer(question_of(body))))

    return behave


def sometimes(
    bad: Behaviour, when: Callable[[int, Body], bool], good: Behaviour = with_logprobs
) -> Behaviour:
    """The bad behaviour for the requests (counted from 0) that `when` picks, else the good one."""
    counter, lock = [-1], threading.Lock()

    def behave(handler: Handler, body: Body) -> None:
        with lock:
            counter[0] += 1
            number = counter[0]
        (bad if when(number, body) else good)(handler, body)

    return behave


def first_time(bad: Behaviour, which: Callable[[Body], bool]) -> Behaviour:
    """The bad behaviour when one of the questions that `which` picks is asked for the first time."""
    seen: set[str] = set()

    def is_new(number: int, body: Body) -> bool:
        name = json.dumps(body["messages"])
        return which(body) and name not in seen and not seen.add(name)

    return sometimes(bad, is_new)


def status(code: int, words: str = "no", headers: dict[str, str] | None = None) -> Behaviour:
    return lambda handler, body: handler.json(code, {"error": {"message": words}}, headers)


def raw(content: bytes) -> Behaviour:
    return lambda handler, body: handler.send(200, content)


def slow(seconds: float) -> Behaviour:
    def behave(handler: Handler, body: Body) -> None:
        time.sleep(seconds)
        with_logprobs(handler, body)

    return behave


def cut(handler: Handler, body: Body) -> None:
    handler.cut()
