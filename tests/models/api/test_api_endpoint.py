import pytest

from linnet.errors import LinnetError
from linnet.models.api.endpoint import endpoint, is_local, key, without_key
from linnet.models.api.refusal import detail, rejected


@pytest.mark.parametrize(
    ("spec", "base_url", "model", "url"),
    [
        ("Qwen/Qwen3-VL-2B@http://localhost:8000/v1", None, "Qwen/Qwen3-VL-2B", "http://localhost:8000/v1"),
        ("m@v2@https://host/v1/", None, "m@v2", "https://host/v1"),
        ("m", "http://host:1/v1", "m", "http://host:1/v1"),
        ("m@http://a/v1", "http://b/v1", "m", "http://a/v1"),
    ],
)
def test_model_and_url_are_read_off_the_name(spec: str, base_url: str | None, model: str, url: str) -> None:
    made = endpoint(spec, base_url)
    assert (made.model, made.url, made.server) == (model, url, url)


def test_a_named_server_stands_for_its_url() -> None:
    assert endpoint("m@http://node7:8000/v1", server="cluster").server == "cluster"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("m", "lacks its base URL"),
        ("@http://host/v1", "lacks its model name"),
        ("m@http:///v1", "no http:// or https:// address"),
    ],
)
def test_what_is_missing_is_named(spec: str, words: str) -> None:
    with pytest.raises(LinnetError, match=words):
        endpoint(spec)


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@host/v1", "http://host/v1?api_key=hunter2", "https://hunter2@host"]
)
def test_urls_with_secrets_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(LinnetError, match="LINNET_API_KEY") as error:
        endpoint(f"m@{url}")
    assert "hunter2" not in str(error.value)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key() is None
    monkeypatch.setenv("OPENAI_API_KEY", "sk-open-1")
    assert key() == ("OPENAI_API_KEY", "sk-open-1")
    monkeypatch.setenv("LINNET_API_KEY", " sk-ours-1\n")
    assert key() == ("LINNET_API_KEY", "sk-ours-1")
    assert without_key("bad key sk-ours-1, not sk-open-1!") == "bad key ***, not ***!"


def test_a_key_that_no_header_can_hold_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_API_KEY", "sk-ключ")
    with pytest.raises(LinnetError, match="LINNET_API_KEY") as error:
        key()
    assert "ключ" not in str(error.value)


def test_placeholder_keys_do_not_blank_real_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "A")
    assert without_key("Answer: A") == "Answer: A"


def test_local_servers_need_no_proxy() -> None:
    assert is_local("http://localhost:8000/v1")
    assert is_local("http://127.0.0.1:8000/v1")
    assert is_local("http://[::1]:8000/v1")
    assert not is_local("https://localhost.example.org/v1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no such model"}}', "no such model"),
        (b'{"detail": "pinned"}', "pinned"),
        (b'{"message": "a\\n  b", "object": "error"}', "a b"),
        (b"<html>Bad</html>", "<html>Bad</html>"),
        (b'["x"]', '["x"]'),
        (b"", ""),
    ],
)
def test_the_servers_words_are_found_in_error_bodies(body: bytes, words: str) -> None:
    assert detail(body) == words


@pytest.mark.parametrize(
    ("status", "served", "words"),
    [
        (401, [], "set the environment variable LINNET_API_KEY"),
        (403, [], "set the environment variable LINNET_API_KEY"),
        (404, ["tiny", "large"], "models it serves: tiny, large .did you mean 'tiny'"),
        (404, [], "usually ends in /v1"),
        (413, ["tini"], "max_side"),
        (308, [], "points elsewhere"),
    ],
)
def test_every_refusal_names_status_model_and_remedy(status: int, served: list[str], words: str) -> None:
    error = rejected(endpoint("tini@http://host/v1"), status, b"", served)
    with pytest.raises(LinnetError, match=words):
        raise error
    assert str(status) in str(error)
    assert "'tini'" in str(error)
