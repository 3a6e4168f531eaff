"""The page in a real browser: it draws, zooms, filters, stays silent, and asks the network for nothing."""

import pytest
from browser import missing, opened, requests
from report_cases import NASTY

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"no headless browser: {missing()} not found")


@pytest.fixture
def shown(driver, page):
    """The page, freshly opened."""
    requests(driver, page.as_uri())
    driver.get(page.as_uri())
    assert driver.execute_script("return document.documentElement.dataset.ready") == "true"
    return driver


def count(driver, selector):
    return driver.execute_script("return document.querySelectorAll(arguments[0]).length", selector)


def text(driver, selector):
    return driver.execute_script("return document.querySelector(arguments[0]).textContent", selector)


def key(driver, name):
    driver.execute_script(
        "const event = new KeyboardEvent('keydown', {key: arguments[0], bubbles: true});"
        "document.activeElement.dispatchEvent(event)",
        name,
    )


def test_every_section_is_drawn_without_a_word_in_the_console(shown, page):
    assert shown.get_log("browser") == []
    assert [url for url in requests(shown, page.as_uri()) if not url.startswith("data:")] == [page.as_uri()]
    assert count(shown, "section") == 15
    drawn = ":is(svg, table, .case)"
    assert count(shown, "figure") == count(shown, f"figure:has({drawn})")


def test_the_policy_stops_requests_and_scripts(shown):
    shown.execute_async_script(
        "const done = arguments[0]; const i = new Image(); i.onload = i.onerror = () => done(); i.src = 'http://192.0.2.1/x'"
    )
    assert any("Content Security Policy" in entry["message"] for entry in shown.get_log("browser"))
    inject = "const s = document.createElement('script'); s.textContent = 'window.injected = 1';"
    assert shown.execute_script(f"{inject} document.body.append(s); return window.injected ?? 0") == 0


def test_names_stay_text(shown):
    assert shown.execute_script("return document.body.textContent").count(NASTY) > 1
    assert count(shown, "script") == 2
    assert NASTY in shown.execute_script(
        "return [...document.querySelectorAll('#icicle .node')].map(n => n.getAttribute('aria-label')).join()"
    )


def test_the_icicle_zooms_by_mouse_and_keyboard(shown):
    before = count(shown, "#icicle .node")
    shown.find_element("css selector", "#icicle .node[aria-label^='B,'] rect").click()
    inside = count(shown, "#icicle .node")
    assert inside < before
    assert "B" in text(shown, "#icicle .crumbs")
    key(shown, "ArrowDown")
    assert shown.execute_script("return document.activeElement.getAttribute('aria-label')").startswith("S,")
    key(shown, "Enter")
    assert count(shown, "#icicle .node") < inside
    key(shown, "Escape")
    key(shown, "Escape")
    assert count(shown, "#icicle .node") == before
    assert count(shown, "#icicle .node[tabindex='0']") == 1


def test_the_icicle_finds_and_recolours(shown):
    find = shown.find_element("css selector", "#icicle input[type=search]")
    find.send_keys("c2\n")
    assert text(shown, "#icicle .crumbs") == "all›M›C›c2"
    shades = (
        "return [...document.querySelectorAll('#icicle .node rect')].map(r => r.getAttribute('fill')).join()"
    )
    first = shown.execute_script(shades)
    options = shown.find_elements("css selector", "#icicle select option")
    assert [option.text for option in options][-1] == "difference: better less plain"
    options[-1].click()
    assert shown.execute_script(shades) != first


def test_the_gallery_filters(shown):
    total = int(text(shown, "#gallery .count").split(" of ")[1].split(",")[0])
    assert count(shown, "#gallery .case") == min(12, total)
    assert count(shown, "#gallery img[src^='data:image/jpeg;base64,']") == min(12, total)
    shown.find_element("css selector", "#gallery .more").click()
    assert count(shown, "#gallery .case") == total
    shown.find_element("css selector", "#gallery select[aria-label=run] option[value=better]").click()
    fewer = count(shown, "#gallery .case")
    assert 0 < fewer < total
    shown.find_element("css selector", "#gallery input[type=search]").send_keys("no such taxon")
    assert count(shown, "#gallery .case") == 0
    assert text(shown, "#gallery .count").startswith(f"0 of {total}")


def test_every_drawing_has_a_name_and_a_table(shown):
    assert count(shown, "figure svg[role]:not([aria-label])") == 0
    shown.execute_script("document.querySelectorAll('figure details').forEach(d => { d.open = true })")
    shown.execute_async_script("setTimeout(arguments[0], 100)")
    assert count(shown, "figure") == count(shown, "figure:has(td, .case)")


def test_the_threshold_moves(shown):
    move = "const s = document.querySelector('#risk input'); s.value = arguments[0];"
    move += "s.dispatchEvent(new Event('input'))"
    shown.execute_script(move, 0)
    assert "100.0 % are named at all" in text(shown, "#risk .read")
    shown.execute_script(move, 100)
    assert "100.0 % are named at all" not in text(shown, "#risk .read")


def test_dark_pages_are_dark(page):
    with opened(dark=True) as driver:
        driver.get(page.as_uri())
        paper = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, paper[4:-1].split(","))) < 150
