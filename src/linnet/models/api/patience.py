"""How long to wait before an attempt is repeated, and when to stop."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from linnet.errors import LinnetError
from linnet.models.api.reply import Trouble


class ServerGone(LinnetError):
    """The server did not answer for longer than the user's patience."""


@dataclass(frozen=True)
class Limits:
    """timeout: seconds for one attempt. retries: attempts after the first for a question that fails while
    others are answered. patience: seconds without any answer before the run stops. concurrency: questions
    on their way at once. first_wait, longest_wait: seconds of the back-off."""

    timeout: float = 120.0
    retries: int = 5
    patience: float = 300.0
    concurrency: int = 16
    first_wait: float = 0.5
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        least = {"timeout": 0.001, "retries": 0, "patience": 0, "concurrency": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise LinnetError(f"option {name}={getattr(self, name)} is too small; give {low} or more")

    def wait(self, failed: Trouble, attempt: int, silent: float) -> float:
        """Seconds until the next attempt: what the server asks for, else exponential, both with jitter.

        silent: seconds since the last answer. Raises ServerGone where the patience is spent.
        """
        left = self.patience - silent
        asked = failed.retry_after
        if left <= 0 or (asked or 0.0) > left:
            wish = f" and asks to wait {asked:.0f} s more" if asked else ""
            raise ServerGone(
                f"no answer for {silent:.0f} s ({failed}){wish}, and patience is {self.patience:g} s. Every "
                f"answer so far is on disk: {failed.remedy}, then run the same command again"
            )
        if asked is not None:
            return asked + random.uniform(0.0, self.first_wait)
        longest = min(self.longest_wait, self.first_wait * 2.0 ** min(attempt, 30))
        return min(left, longest * random.uniform(0.5, 1.0))


def retry_after(value: str | None) -> float | None:
    """Seconds in a Retry-After header, a number or a date (RFC 9110, 10.2.3); None where there is none."""
    if not value:
        return None
    if value.strip().replace(".", "", 1).isdigit():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
