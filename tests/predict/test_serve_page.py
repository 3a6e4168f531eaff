"""The page of `linnet serve` in a real browser: a photo is chosen, named, and refused with a reason."""

from threading import Thread

import pytest
from browser import missing, requests
from PIL import Image
from predict_fakes import Leaves, draw

from linnet.predict.predictions import fixed
from linnet.predict.predictor import Predictor
from linnet.predict.server import Page
from linnet.taxonomy import build, path_table

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"no headless browser: {missing()} not found")
BAD = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def address():
    tree = build(path_table([["B", BAD], ["B", "b"], ["M", "c"]], ("order", "species")))[0]
    predictor = Predictor(Leaves(), tree)
    predictor.prepare()
    with Page(("127.0.0.1", 0), predictor, fixed("climbing", 0.6), most_pixels=10_000) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def shown(driver, address):
    driver.get(address)
    return driver


def choose(driver, path):
    """Give the page a photo and wait for what it says; returns the text of the page."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.find_element("css selector", "#file").send_keys(str(path))
    done = "return !document.getElementById('result').hidden || !!document.querySelector('#status.problem')"
    WebDriverWait(driver, 30).until(lambda one: one.execute_script(done))
    return driver.execute_script("return document.body.innerText")


def count(driver, selector):
    return driver.execute_script("return document.querySelectorAll(arguments[0]).length", selector)


def test_photos_get_a_lineage_and_the_place_where_it_stops(shown, tmp_path, address):
    draw(tmp_path, 12)
    texts = [choose(shown, path) for path in sorted(tmp_path.glob("*.png"))]
    assert shown.get_log("browser") == []
    stopped = [text for text in texts if "the answer stops here" in text]
    assert 0 < len(stopped) < len(texts)
    assert any(BAD in text for text in texts)
    assert count(shown, "script") == 1
    local = (address, "blob:", "data:")
    assert all(url.startswith(local) for url in requests(shown, address))


def test_bars_are_as_long_as_their_scores(shown, tmp_path):
    draw(tmp_path, 1)
    choose(shown, tmp_path / "photo0.png")
    rows = shown.find_elements("css selector", "#chain tr:not(.stop)")
    for row in rows:
        bar, filled = (row.find_element("css selector", part) for part in (".bar", ".bar i"))
        said = float(row.find_element("css selector", ".n").text.split()[0])
        assert filled.size["width"] == pytest.approx(bar.size["width"] * said / 100, abs=1)


def test_a_refused_photo_says_why_and_the_next_one_is_named(shown, tmp_path):
    draw(tmp_path, 1)
    Image.new("RGB", (200, 200)).save(tmp_path / "large.png")
    (tmp_path / "text.png").write_text("no picture")
    assert "large.png: the photo has 200 x 200 pixels" in choose(shown, tmp_path / "large.png")
    assert "text.png: this file is not an image" in choose(shown, tmp_path / "text.png")
    choose(shown, tmp_path / "photo0.png")
    assert count(shown, "#status.problem") == 0
    assert shown.find_element("css selector", "#photo").get_attribute("alt") == "photo0.png"
