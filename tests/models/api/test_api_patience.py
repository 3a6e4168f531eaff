from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import LinnetError
from linnet.models.api.patience import Limits, ServerGone, retry_after
from linnet.models.api.reply import Trouble


@given(st.integers(0, 200), st.floats(0, 200))
def test_waits_grow_to_the_longest_and_never_past_the_patience(attempt: int, silent: float) -> None:
    wait = Limits().wait(Trouble("x"), attempt, silent)
    longest = min(30.0, 0.5 * 2.0**attempt)
    assert min(longest / 2, 300 - silent) <= wait <= min(longest, 300 - silent)


def test_a_wish_of_the_server_goes_before_the_back_off() -> None:
    wait = Limits().wait(Trouble("429", retry_after=7.0), 0, 0.0)
    assert 7.0 <= wait <= 7.5


def test_spent_patience_stops_with_reason_and_remedy() -> None:
    with pytest.raises(ServerGone, match=r"no answer for 300 s \(cut\).*on disk: start the server again"):
        Limits().wait(Trouble("cut"), 3, 300.0)


def test_a_wish_beyond_the_patience_stops_at_once() -> None:
    with pytest.raises(ServerGone, match="asks to wait 3600 s more"):
        Limits().wait(Trouble("429", retry_after=3600.0), 0, 1.0)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("12") == 12
    assert retry_after("0.5") == 0.5
    assert retry_after(None) is None
    assert retry_after("soon") is None
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 50 < (retry_after(soon) or 0) <= 60
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"timeout": 0.0}, {"retries": -1}, {"patience": -1.0}])
def test_limits_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LinnetError, match=f"{next(iter(wrong))}=.* is too small"):
        Limits(**wrong)
