"""Pages in headless Chromium: phones, dark, print, motion, pictures, and axe-core's faults."""

import io
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from shown import marked, texts

from minifcn.explain import OPERATIONS

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
SVG = "{http://www.w3.org/2000/svg}"
STATES = [
    *OPERATIONS,
    "conv2d&direction=backward",
    "conv2d&size=12,12&channels=4&groups=2&filters=4",
    "conv_transpose2d&view=zeros",
    "conv_transpose2d&view=matrix",
]

OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_phone_needs_no_scrolling_sideways(state, language, opened):
    page = opened(f"op={state}&lang={language}&step=3", viewport=PHONE)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in page.locator(".transport button").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 24  # WCAG 2.2, 2.5.8
        assert box["x"] + box["width"] <= 390


def test_everything_is_there_on_a_phone(opened):
    page = opened("op=conv2d", viewport=PHONE, has_touch=True, is_mobile=True)
    page.tap("#next")
    assert page.text_content("#count") == "step 2 of 30"
    page.locator('section[aria-label="y"] td').nth(3).tap()
    assert marked(page, "pinned") == {"y 0,0,3"}


def luminance(rgb):
    """WCAG's relative luminance of 'rgb(r, g, b)'."""
    parts = [int(n) / 255 for n in re.findall(r"\d+", rgb)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


_COLOURS = """kind => {
  const node = document.querySelector(kind), own = getComputedStyle(node);
  let back = node;
  while (getComputedStyle(back).backgroundColor === "rgba(0, 0, 0, 0)") back = back.parentElement;
  return [own.color, getComputedStyle(back).backgroundColor];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_and_words_stand_out(scheme, opened):
    page = opened("op=conv2d&step=9", color_scheme=scheme, reduced_motion="reduce")
    paper = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper < 0.1) == (scheme == "dark")
    for kind in ("td.read", "td.used", "td.write", "td.pad", ".role", "mark", "nav a", "legend",
                 "#sum", "#pin", "button", "input"):  # fmt: skip
        ink, back = sorted(map(luminance, page.evaluate(_COLOURS, kind)), reverse=True)
        assert (ink + 0.05) / (back + 0.05) >= 4.5, kind


def test_input_and_result_differ_without_colour(opened):
    page = opened("op=conv2d")
    radius = lambda name: page.eval_on_selector(
        f'section[aria-label="{name}"] td:not(.pad)', "node => getComputedStyle(node).borderRadius"
    )
    assert radius("x") != radius("y")
    roles = page.locator(".role").all_text_contents()
    assert [role.split(",")[0] for role in roles] == ["input", "kernel weights", "result"]
    shadow = lambda kind: page.eval_on_selector(
        kind, "node => getComputedStyle(node).boxShadow.split('inset').length"
    )
    assert shadow("td.read") != shadow("td.write")  # one ring, and two


@pytest.mark.parametrize("state", ["conv2d", "max_pool2d&direction=backward"])
def test_nothing_moves_between_steps(state, opened):
    """So there is nothing to reduce where less motion is asked for."""
    page = opened(f"op={state}", reduced_motion="reduce")
    page.click("#next")
    assert page.evaluate("document.getAnimations().length") == 0
    moving = """[...document.querySelectorAll("*")].filter(node => {
      const style = getComputedStyle(node);
      return style.transitionDuration !== "0s" || style.animationName !== "none"
        || style.scrollBehavior === "smooth";
    }).length"""
    assert page.evaluate(moving) == 0


def test_print_has_the_story_without_the_controls(opened):
    page = opened("op=conv2d&step=7", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in (
        "#settings-part",
        "#modes",
        ".transport",
        ".copy",
        "nav",
        "#pasted",
        "#language",
    ):
        assert not page.locator(hidden).first.is_visible(), hidden
    for kept in ("#title", "#say", "#sum", "#panels", "#code", "#formula", "#proof"):
        assert page.locator(kept).is_visible(), kept
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert luminance(paper) > 0.9


# -- Pictures to keep, calls to copy --------------------------------------------------------------


def downloaded(page, button):
    with page.expect_download() as download:
        page.click(button)
    path = Path(download.value.path())
    return download.value.suggested_filename, path.read_bytes()


@pytest.mark.parametrize(
    "state", ["conv2d&step=8", "conv_transpose2d&view=matrix", "iou", "max_pool2d&predict=1"]
)
def test_the_picture_is_kept_as_svg(state, opened):
    page = opened(f"op={state}")
    name, content = downloaded(page, "#keep-svg")
    assert re.fullmatch(rf"{state.split('&')[0]}-\d+\.svg", name)
    root = ElementTree.fromstring(content)
    words = [node.text or "" for node in root.iter(f"{SVG}text")]
    arrays = page.evaluate(
        "[...document.querySelectorAll('#panels section')].map(one => one.ariaLabel)"
    )
    cells = [cell for array in arrays for plane in texts(page, array) for row in plane
             for cell in row]  # fmt: skip
    for cell in cells:
        assert cell in words
    assert sum(word.startswith(tuple(arrays)) for word in words) >= len(arrays)
    size = page.eval_on_selector("#panels", "n => [n.offsetWidth, n.offsetHeight]")
    assert [round(float(root.get(key))) for key in ("width", "height")] == pytest.approx(
        size, abs=1
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_is_kept_as_png(scheme, opened):
    page = opened("op=conv2d&step=8", color_scheme=scheme)
    name, content = downloaded(page, "#keep-png")
    assert name == "conv2d-9.png"
    picture = Image.open(io.BytesIO(content))
    size = page.eval_on_selector("#panels", "n => [n.offsetWidth, n.offsetHeight]")
    assert picture.size == pytest.approx([2 * n for n in size], abs=2)
    assert len(picture.convert("RGB").getcolors(100_000)) > 20
    assert (picture.convert("L").getpixel((1, picture.height - 2)) < 128) == (scheme == "dark")


def test_calls_are_copied(opened):
    page = opened("op=conv2d&stride=2,1")
    for call in ("minifcn", "torch"):
        button = page.locator(f"[data-of=call-{call}]")
        button.click()
        page.wait_for_function("document.body.textContent.includes('copied')")
        page.evaluate(OPEN_ALL)
        page.fill("#pasted", "")
        page.focus("#pasted")
        page.keyboard.press("Control+V")
        assert page.input_value("#pasted") == page.text_content(f"#call-{call}")
        assert "stride=(2, 1)" in page.input_value("#pasted")


# -- Languages ------------------------------------------------------------------------------------


def test_the_language_is_changed(opened):
    page = opened("op=conv2d")
    english = page.locator("[data-text]").all_text_contents()
    page.select_option("#language", "ko")
    assert page.evaluate("document.documentElement.lang") == "ko"
    assert page.text_content("#title") != "Convolution"
    korean = page.locator("[data-text]").all_text_contents()
    assert all(map(str.strip, korean))
    assert sum(a != b for a, b in zip(english, korean, strict=True)) > len(english) // 2


# -- Faults ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axe():
    """axe-core's script; MINIFCN_AXE names it."""
    path = os.environ.get("MINIFCN_AXE")
    if not path:
        pytest.skip("MINIFCN_AXE does not name axe-core's axe.min.js")
    return Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_serious_fault(state, scheme, axe, opened):
    page = opened(f"op={state}&step=2", color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(OPEN_ALL)
    page.locator("#panels td:not(.pad)").nth(1).click()
    page.evaluate(axe)
    found = page.evaluate("axe.run().then(result => result.violations)")
    faults = [(one["id"], one["impact"], [node["target"] for node in one["nodes"]][:3])
              for one in found if one["impact"] in ("serious", "critical")]  # fmt: skip
    assert not faults


def test_axe_finds_a_fault_that_is_planted(axe, opened):
    page = opened("op=conv2d")
    page.evaluate("document.querySelector('#idea').style.color = '#ddd'")
    page.evaluate(axe)
    found = page.evaluate("axe.run().then(result => result.violations.map(one => one.id))")
    assert "color-contrast" in found
