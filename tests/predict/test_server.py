"""The page answers photos, refuses what is too large or foreign, and never makes markup of names."""

import http.client
import json
from importlib.resources import files
from io import BytesIO
from threading import Thread

import pytest
from PIL import Image
from predict_fakes import Leaves

from linnet.errors import LinnetError
from linnet.predict.predictions import fixed
from linnet.predict.predictor import Predictor
from linnet.predict.server import Page, is_loopback
from linnet.taxonomy import build, path_table

BAD = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def page():
    tree = build(path_table([["B", BAD], ["B", "b"], ["M", "c"]], ("order", "species")))[0]
    predictor = Predictor(Leaves(), tree)
    predictor.prepare()
    with Page(("127.0.0.1", 0), predictor, fixed("leaf"), most_bytes=20_000, most_pixels=10_000) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def request(page, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", page.server_address[1], timeout=30)
    connection.request(method, path, body, headers)
    reply = connection.getresponse()
    return reply.status, reply.read(), reply.headers


def picture(width=20, height=20, seed=0):
    buffer = BytesIO()
    Image.new("RGB", (width, height), (seed, 7, 9)).save(buffer, "PNG")
    return buffer.getvalue()


def told(page, body):
    status, content, _ = request(page, "POST", "/predict", body)
    return status, json.loads(content)


def test_a_photo_gets_its_lineage(page):
    status, said = told(page, picture())
    assert status == 200
    assert [step["rank"] for step in said["chain"]] == ["order", "species"]
    assert said["rank"] == "species"
    assert said["about"]["taxonomy_fingerprint"] == page.predictor.taxonomy.fingerprint


def test_names_arrive_as_data(page):
    said = [told(page, picture(seed=seed))[1]["name"] for seed in range(30)]
    assert BAD in said  # as JSON, which the page puts into textContent only
    script = files("linnet.predict").joinpath("page.js").read_text()
    assert not any(
        way in script for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(")
    )


def test_the_page_loads_nothing_from_elsewhere(page):
    status, body, headers = request(page, "GET", "/")
    assert status == 200
    assert b"http" not in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for path in ("/page.js", "/page.css"):
        assert request(page, "GET", path)[0] == 200


@pytest.mark.parametrize("path", ["/nothing", "/../secret", "/page.py"])
def test_only_its_own_files(page, path):
    assert request(page, "GET", path)[0] == 404


def test_what_is_refused(page):
    assert told(page, b"x" * 20_001) == (413, {"problem": "the file has 20,001 bytes; the limit is 20,000"})
    status, said = told(page, picture(200, 200))
    assert (status, said["problem"]) == (422, "the photo has 200 x 200 pixels, over the limit of 10000")
    assert told(page, b"no picture") == (422, {"problem": "this file is not an image"})
    assert told(page, picture()[:60])[0] == 422
    assert request(page, "POST", "/elsewhere", b"x")[0] == 404


def test_other_sites_cannot_reach_it_by_a_name_of_theirs(page):
    assert request(page, "GET", "/", Host="evil.example")[0] == 403
    assert request(page, "POST", "/predict", picture(), Host="evil.example:80")[0] == 403
    assert request(page, "GET", "/", Host="localhost:1")[0] == 200


def test_bound_to_this_machine(page):
    assert page.local
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")


def test_a_port_in_use(page):
    with pytest.raises(LinnetError, match=r"cannot serve at 127\.0\.0\.1:\d+ \(.*\); give another --port"):
        Page(("127.0.0.1", page.server_address[1]), page.predictor, page.stop_rule)
