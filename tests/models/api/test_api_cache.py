import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from linnet.errors import LinnetError
from linnet.models.api.cache import Cache, cache_key, default_folder
from linnet.models.api.endpoint import Endpoint
from linnet.models.api.reply import Reply

HERE = Endpoint("owner/model", "http://a/v1", "http://a/v1")
BODY = {"model": "m", "messages": [{"role": "user", "content": "?"}], "max_tokens": 1}


def test_replies_are_there_after_reopening(tmp_path: Path) -> None:
    cache = Cache(tmp_path, HERE)
    assert cache.get("k") is None
    cache.put("k", Reply("B", [("B", -0.5)]))
    cache.close()
    assert Cache(tmp_path, HERE).get("k") == Reply("B", [("B", -0.5)])


def test_servers_and_models_have_files_of_their_own(tmp_path: Path) -> None:
    others = [Endpoint("owner/model", "u", "http://b/v1"), Endpoint("owner/other", "u", "http://a/v1")]
    paths = {Cache(tmp_path, made).path for made in [HERE, *others]}
    assert len(paths) == 3
    assert {path.parent for path in paths} == {tmp_path / "api"}


def test_anything_that_changes_the_answer_changes_the_key() -> None:
    keys = {
        cache_key("s", BODY, None),
        cache_key("s", BODY, "photo1"),
        cache_key("s", BODY, "photo2"),
        cache_key("t", BODY, None),
        cache_key("s", {**BODY, "max_tokens": 10}, None),
        cache_key("s", {**BODY, "messages": [{"role": "user", "content": "!"}]}, None),
    }
    assert len(keys) == 6
    assert cache_key("s", dict(reversed(BODY.items())), None) in keys


def put_and_die(folder: Path) -> None:
    cache = Cache(folder, HERE)
    cache.put("kept", Reply("A"))
    os.kill(os.getpid(), signal.SIGKILL)


def put_many(folder: Path, name: str) -> None:
    cache = Cache(folder, HERE)
    for k in range(50):
        cache.put(f"{name}{k}", Reply(name))


def test_what_was_put_survives_kill_9(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=put_and_die, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert Cache(tmp_path, HERE).get("kept") == Reply("A")


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=put_many, args=(tmp_path, name)) for name in "xy"]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    cache = Cache(tmp_path, HERE)
    assert all(cache.get(f"{name}{k}") for name in "xy" for k in range(50))


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    made = Cache(tmp_path, HERE)
    made.close()
    made.path.write_bytes(b"not a database, " * 100)
    with pytest.raises(LinnetError, match=r"owner-model.*sqlite cannot be used .*remove it"):
        Cache(tmp_path, HERE)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LinnetError, match="LINNET_CACHE"):
        Cache(tmp_path / "file", HERE)


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", "/scratch/x")
    assert default_folder() == Path("/scratch/x")
    monkeypatch.delenv("LINNET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch/y")
    assert default_folder() == Path("/scratch/y/linnet")
