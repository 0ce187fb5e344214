"""The page in a real browser: Debian's Chromium, headless, from a file.

MGDM_JAX_SCREENSHOTS names a folder for screenshots to look at.
"""

import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import run_folders
from PIL import Image
from playwright import sync_api

from mgdm_jax.report import finished, page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (360, 900, 1600)
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="there is no chromium here; apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        # Root, as in containers, may only start it without its sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    run_folders.write(folder / "a", n=6, samples=True, diverged=(2,))
    run_folders.write(folder / "b", "ddnm", n=6, error=0.06, seed=1)
    run_folders.write(folder / "ct", "dds", n=2, kind="ct")
    run_folders.write(folder / "bare", n=2, reference=False)
    for name in ("a", "ct", "bare"):
        page.write([finished.read(folder / name)], folder / f"{name}.html")
    both = [finished.read(folder / name) for name in "ab"]
    page.write(both, folder / "both.html")
    return folder


@pytest.fixture
def opened(browser, folder):
    """Return what opens a page; fail if anything is asked for or complained of."""
    wrong, tabs = [], []

    def note(request):
        if not request.url.startswith(("file:", "data:")):
            wrong.append(request.url)

    def open_(name, width=1600, **options):
        tab = browser.new_page(viewport={"width": width, "height": 900}, **options)
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", note)
        tab.goto((folder / f"{name}.html").as_uri())
        sync_api.expect(tab.locator("#left-name")).not_to_be_empty()
        tabs.append(tab)
        return tab

    yield open_
    for tab in tabs:
        tab.close()
    assert not wrong


def pixels(tab, selector="#wipe"):
    image = Image.open(io.BytesIO(tab.locator(selector).screenshot()))
    return np.asarray(image.convert("RGB"), np.float64)


def seen(image, words):
    """Wait until an image says that it shows something."""
    sync_api.expect(image).to_have_attribute("aria-label", re.compile(words))


def column(tab, index):
    return tab.eval_on_selector_all(
        "#each tbody tr", f"rows => rows.map(row => row.cells[{index}].innerText)"
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["a", "both", "ct", "bare"])
def test_it_fits_at_every_width(name, width, opened):
    tab = opened(name, width, color_scheme="dark" if width == 900 else "light")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator("h1").is_visible() and tab.locator("#wipe").is_visible()
    shot = tab.screenshot(full_page=True)
    assert np.asarray(Image.open(io.BytesIO(shot)).convert("L")).std() > 10
    if os.environ.get("MGDM_JAX_SCREENSHOTS"):
        path = Path(os.environ["MGDM_JAX_SCREENSHOTS"]) / f"{name}-{width}.png"
        path.write_bytes(shot)


def test_headings_sort_by_mouse_and_keyboard(opened):
    tab = opened("a")
    heading = tab.locator("#each thead tr:nth-child(2) th").nth(3)
    by_index = [float(text) for text in column(tab, 3)]
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in column(tab, 3)] == sorted(by_index)
    assert column(tab, 0)[0].startswith("2")  # the diverged one
    tab.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(tab, 3)] == sorted(by_index, reverse=True)
    assert tab.locator("#sorted").inner_text() == "Sorted by PSNR / dB, descending."
    first = tab.locator("#each thead tr:nth-child(2) th").first
    assert first.get_attribute("aria-sort") == "none"
    first.locator("button").press("Space")
    assert [text[0] for text in column(tab, 0)] == list("012345")


def test_the_divider_shows_one_image_or_the_other(opened):
    tab = opened("a")
    tab.locator("#left").select_option(label="Reference")
    tab.locator("#right").select_option("baseline")
    seen(tab.locator("#wipe"), "Reference. Right: Zero-filled")
    tab.locator("#divider").fill("100")
    reference = pixels(tab)
    tab.locator("#divider").fill("0")
    baseline = pixels(tab)
    assert np.abs(reference - baseline).mean() > 5
    tab.locator("#divider").fill("50")
    mixed = pixels(tab)
    middle = mixed.shape[1] // 2
    inner = slice(10, middle - 10), slice(middle + 10, -10)
    np.testing.assert_allclose(mixed[:, inner[0]], reference[:, inner[0]], atol=2)
    np.testing.assert_allclose(mixed[:, inner[1]], baseline[:, inner[1]], atol=2)
    label = tab.locator("#wipe").get_attribute("aria-label")
    assert "Left of 50 %: Reference. Right: Zero-filled: " in label
    tab.locator("#swap").click()
    seen(tab.locator("#wipe"), "Zero-filled.* Right: Reference")


def test_dragging_moves_the_divider(opened):
    tab = opened("a")
    box = tab.locator("#wipe").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50)
    tab.mouse.up()
    assert 24 <= float(tab.locator("#divider").input_value()) <= 26


def test_values_are_those_of_the_run(opened, folder):
    tab = opened("a")
    tab.locator("#left").select_option("reference")
    seen(tab.locator("#wipe"), "Reference. Right: mgdm")
    tab.locator("#wipe").scroll_into_view_if_needed()
    box = tab.locator("#wipe").bounding_box()
    size, row, n_column = 48, 30, 20
    tab.mouse.move(
        box["x"] + (n_column + 0.5) / size * box["width"],
        box["y"] + (row + 0.5) / size * box["height"],
    )
    said = tab.locator("#readout").inner_text()
    assert said.startswith(f"Row {row}, column {n_column}: Reference ")
    run = finished.read(folder / "a")
    reference, image = (run.images[k][0] for k in ("reference", "reconstruction"))
    values = [float(part.rsplit(" ", 1)[1]) for part in said.split("; ")]
    want = [a[row, n_column] for a in (reference, image, np.abs(image - reference))]
    np.testing.assert_allclose(values, np.clip(want, 0, None), atol=4e-3)


def test_window_and_level(opened):
    tab = opened("ct")
    full = pixels(tab)
    tab.locator("#preset").select_option("Bone")
    assert tab.locator("#level-value").inner_text() == "400 HU"
    assert tab.locator("#width-value").inner_text() == "1800 HU"
    assert np.abs(pixels(tab) - full).mean() > 5
    tab.locator("#level").press("ArrowRight")
    assert tab.locator("#level-value").inner_text() == "401 HU"
    assert tab.locator("#preset").input_value() == ""
    tab.locator("#reset").click()
    np.testing.assert_array_equal(pixels(tab), full)
    assert tab.locator("#preset").input_value() == "full"


def test_the_keyboard_alone(opened):
    """Everything is reached by Tab; an image moves, zooms and resets by keys."""
    tab = opened("a")
    reached = []
    while "reset" not in reached and len(reached) < 60:
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id"))
        outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", tab.evaluate("document.activeElement.outerHTML")
    wanted = ("wipe", "divider", "map", "gain", "previous", "image", "next", "left")
    wanted += ("right", "swap", "level", "width", "map-kind", "zoom", "reset")
    places = [reached.index(name) for name in wanted]
    assert places == sorted(places)
    tab.locator("#wipe").focus()
    start = pixels(tab)
    for _ in range(4):
        tab.keyboard.press("+")
    zoomed = pixels(tab)
    assert tab.locator("#zoom-value").inner_text().startswith("2.4")
    tab.keyboard.press("ArrowRight")
    moved = pixels(tab)
    assert np.abs(zoomed - start).mean() > 5 and np.abs(moved - zoomed).mean() > 1
    tab.keyboard.press("s")
    seen(tab.locator("#wipe"), "mgdm.* Right: Zero-filled")
    tab.keyboard.press("s")
    seen(tab.locator("#wipe"), "Zero-filled.* Right: mgdm")
    tab.keyboard.press("0")
    np.testing.assert_array_equal(pixels(tab), start)


def test_a_button_of_the_table_shows_its_image(opened):
    tab = opened("both")
    tab.locator("#each .pick").nth(2).press("Enter")
    seen(tab.locator("#wipe"), "Image 2")
    assert tab.locator("#left-name").inner_text().endswith("mgdm: diverged")
    assert tab.evaluate("document.activeElement.id") == "wipe"
    shot = pixels(tab)
    assert shot[:, :100].mean() < 5 < shot[:, -100:].mean()
    tab.locator("#next").click()
    assert tab.locator("#image").input_value() == "3"


def test_maps_brighten_and_change(opened):
    tab = opened("a")
    plain = pixels(tab, "#map")
    top = float(tab.locator("#map-high").inner_text())
    tab.locator("#gain").fill("4")
    assert float(tab.locator("#map-high").inner_text()) == pytest.approx(
        top / 4, rel=0.01
    )
    assert pixels(tab, "#map").mean() > plain.mean() + 5
    tab.locator("#map-kind").select_option(label="Deviation of samples of mgdm")
    seen(tab.locator("#map"), "Deviation of samples of mgdm")


def test_every_control_and_picture_has_a_name(opened):
    tab = opened("both")
    nameless = tab.evaluate(
        """() => [...document.querySelectorAll('input, select, button, img, canvas')]
        .filter(e => !(e.ariaLabel || e.alt || e.labels?.[0]?.innerText.trim()
                       || e.innerText?.trim()))
        .map(e => e.outerHTML.slice(0, 99))"""
    )
    assert not nameless
    tables = tab.evaluate(
        """() => [...document.querySelectorAll('table')].every(t => t.caption
        && [...t.querySelectorAll('th')].every(h => h.scope))"""
    )
    assert tables


CONTRAST = """() => {
  const channels = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = (text) => {
    const [r, g, b] = channels(text).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    const colour = getComputedStyle(e).backgroundColor;
    return channels(colour)[3] === 0 ? behind(e.parentElement) : colour;
  };
  return [...document.querySelectorAll('body *')]
    .filter(e => e.checkVisibility() && [...e.childNodes].some(
      n => n.nodeType === 3 && n.textContent.trim()))
    .filter(e => !e.closest('svg, script'))
    .map(e => {
      const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme, opened):
    """WCAG 2.2, level AA: 4.5 to 1."""
    tab = opened("both", color_scheme=scheme)
    found = tab.evaluate(CONTRAST)
    assert len(found) > 100
    assert not [(ratio, text[:80]) for ratio, text in found if ratio < 4.5]


def test_without_javascript_there_are_stills(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "a.html").as_uri())
    assert not tab.locator("#viewer").is_visible()
    tab.locator("#stills summary").click()
    assert tab.locator("#still-0-reference").is_visible()
    assert tab.get_by_text("want JavaScript").is_visible()
    context.close()
