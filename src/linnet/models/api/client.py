"""The client repeats what may succeed later, gives up on what will not, and tells the two apart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

from linnet.errors import need
from linnet.models.api.endpoint import Endpoint, is_local, key, without_key
from linnet.models.api.patience import Limits, ServerGone, retry_after
from linnet.models.api.refusal import ABOUT_THE_QUESTION, Rejected, detail, rejected, status_name
from linnet.models.api.reply import Reply, Trouble, parse

log = logging.getLogger(__name__)

REPEAT = (408, 409, 425, 429)  # and all of 5xx
MAX_UNANSWERED = 20  # questions in a row without an answer, after which the server is at fault
QUIET = 1.0  # seconds of silence after which the user is told


class Client:
    """One endpoint, asked over a pool of kept connections; all methods run on the loop of `loop.run`.

    ping: a request known to be answered, which tells a dead server from a bad question.
    counts: answered and from_cache questions, retries, tokens of prompts and of those the cached ones.
    """

    def __init__(self, endpoint: Endpoint, limits: Limits) -> None:
        self.endpoint, self.limits = endpoint, limits
        self.ping: dict[str, Any] | None = None
        self.counts: Counter[str] = Counter()
        self._httpx = need("httpx", "api")
        known = key()
        self._web = self._httpx.AsyncClient(
            headers={"Authorization": f"Bearer {known[1]}"} if known else {},
            timeout=None,  # asyncio.timeout bounds the whole attempt, which httpx's own do not
            limits=self._httpx.Limits(max_keepalive_connections=limits.concurrency),
            trust_env=not is_local(endpoint.url),
        )
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._answered_at = -float("inf")
        self._unanswered = 0
        self._down = False

    async def ask(self, body: dict[str, Any], empty: bool = False) -> Reply:
        """The reply to one request, with `missing` set where this request alone fails.

        empty: whether a reply without text and log-probabilities counts as one. Raises Rejected for
        statuses that no repetition mends, and ServerGone when patience is spent.
        """
        async with self._slots:
            try:
                return await self._persist(body, empty)
            except Rejected as error:
                proven = self.counts["answered"] or self.counts["from_cache"]
                if error.status not in ABOUT_THE_QUESTION or not proven:
                    raise
                return self._give_up(f"{status_name(error.status)}: {error.detail}")

    async def models(self) -> list[str]:
        """Names of the models the server lists; [] where it does not say."""
        try:
            async with asyncio.timeout(min(10.0, self.limits.timeout)):
                found = await self._web.get(f"{self.endpoint.url}/models")
            return [without_key(str(entry["id"])) for entry in found.json()["data"]]
        except (TimeoutError, self._httpx.HTTPError, ValueError, KeyError, TypeError):
            return []

    async def close(self) -> None:
        """Close the kept connections."""
        await self._web.aclose()

    async def _persist(self, body: dict[str, Any], empty: bool) -> Reply:
        started, attempt, own = time.monotonic(), 0, 0
        while True:
            tried = time.monotonic()
            try:
                return self._note(await self._attempt(body, empty))
            except Trouble as trouble:
                failed = trouble
            alone = await self._alone(failed, tried)
            own += alone
            if own > self.limits.retries:
                return self._give_up(str(failed))
            await asyncio.sleep(self._wait(failed, attempt, started, tell=not alone))
            attempt += 1
            self.counts["retries"] += 1

    async def _attempt(self, body: dict[str, Any], empty: bool) -> Reply:
        try:
            async with asyncio.timeout(self.limits.timeout):
                found = await self._web.post(f"{self.endpoint.url}/chat/completions", json=body)
        except TimeoutError:
            raise Trouble(f"no reply within {self.limits.timeout:g} s") from None
        except self._httpx.TransportError as error:
            raise Trouble(without_key(f"{type(error).__name__}: {error}").rstrip(": ")) from None
        if found.is_success:
            return parse(found.content, empty)
        if found.status_code in REPEAT or found.is_server_error:
            raise _passing(found.status_code, found.content, found.headers.get("retry-after"))
        raise rejected(self.endpoint, found.status_code, found.content, await self.models())

    async def _alone(self, failed: Trouble, tried: float) -> bool:
        """Whether the server has answered others since this question was tried."""
        if failed.limited or self.ping is None:
            return False
        if self._answered_at > tried:
            return True
        try:
            await self._attempt(self.ping, empty=True)
        except (Trouble, Rejected):
            return False
        return True

    def _wait(self, failed: Trouble, attempt: int, started: float, tell: bool) -> float:
        silent = time.monotonic() - max(started, self._answered_at)
        try:
            wait = self.limits.wait(failed, attempt, silent)
        except ServerGone as error:
            raise ServerGone(f"{self.endpoint.url}: {error}") from None
        if tell and silent + wait > QUIET and not self._down:
            self._down = True
            log.warning(
                "%s: %s; asking again for up to %g s", self.endpoint.url, failed, self.limits.patience
            )
        return wait

    def _note(self, reply: Reply) -> Reply:
        self._answered_at = time.monotonic()
        self._unanswered = 0
        self.counts.update(answered=1, prompt_tokens=reply.tokens[0], cached_prompt_tokens=reply.tokens[1])
        if self._down:
            self._down = False
            log.warning("%s answers again", self.endpoint.url)
        return reply

    def _give_up(self, reason: str) -> Reply:
        self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED:
            raise ServerGone(
                f"the last {self._unanswered} questions to {self.endpoint.url} got no answer; the last "
                f"failed with: {reason}. Mend the server and run the same command again to continue"
            )
        return Reply(missing=reason)


async def ask_all(asks: Sequence[Coroutine[Any, Any, Reply]]) -> list[Reply]:
    """Replies to many requests in their order; the first error cancels those still on their way."""
    tasks = [asyncio.ensure_future(ask) for ask in asks]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _passing(status: int, body: bytes, wish: str | None) -> Trouble:
    words = f"{status_name(status)}: {detail(body)}".rstrip(": ")
    if status == 429:
        return Trouble(words, retry_after(wish), limited=True, remedy="wait, or lower the concurrency")
    return Trouble(words, retry_after(wish))
