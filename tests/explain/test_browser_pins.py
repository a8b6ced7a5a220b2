"""Pages in headless Chromium: links, pins, guesses, and the state in the address."""

import json
import re

import pytest
from shown import cell, marked, number, numbers, texts

from minifcn.explain import OPERATIONS, explain, make_page

pytestmark = pytest.mark.browser

LINKED = {
    "conv2d": ("x", "weight", "y"),
    "conv_transpose2d": ("y", "weight", "x"),
    "conv1x1": ("x", "weight", "y"),
    "im2col": ("x", "columns"),
    "col2im": ("columns", "x"),
    "max_pool2d": ("x", "y", "indices"),
    "max_unpool2d": ("y", "indices", "x"),
    "interpolate": ("x", "y"),
    "cross_entropy": ("scores", "exp"),
    "iou": ("matrix", "IU"),
    "conv_transpose2d&view=zeros": ("y with zeros", "weight turned", "x"),
    "conv_transpose2d&view=matrix": ("y", "Cᵀ", "x"),
    "conv2d&direction=backward": ("dy", "x", "weight", "dx", "dweight"),
    "max_pool2d&direction=backward": ("dy", "dx"),
}


def every(page, name):
    return page.locator(f'section[aria-label="{name}"] td:not(.pad)')


def by_array(places):
    """Places by array's name."""
    found = {}
    for place in places:
        name, at = place.rsplit(" ", 1)
        found.setdefault(name, set()).add(at)
    return found


@pytest.mark.parametrize("state", LINKED)
def test_hovering_links_what_belongs_together_both_ways(state, opened):
    page = opened(f"op={state}")
    names = LINKED[state]
    met = set()
    for name in names:
        target = every(page, name).nth(1)
        own = f"{name} {target.get_attribute('data-at')}"
        target.hover()
        linked = marked(page, "linked")
        page.mouse.move(0, 0)
        assert not marked(page, "linked")
        for other, places in by_array(linked).items():
            met |= {other, name}
            plane = sorted(places)[0]
            page.locator(f'section[aria-label="{other}"] td[data-at="{plane}"]').hover()
            assert own in marked(page, "linked"), (own, other, plane)
    assert met >= set(names)


def test_links_are_those_of_the_window(opened):
    """An output is linked to its window; an input to the outputs whose windows hold it."""
    page = opened("op=conv2d&size=5,5&padding=0,0&stride=2,2")
    cell(page, "y", 0, 1).hover()
    window = {f"x 0,{h},{w}" for h in range(3) for w in range(2, 5)}
    kernel = {f"weight 0,{i},{j}" for i in range(3) for j in range(3)}
    assert marked(page, "linked") == window | kernel
    cell(page, "x", 2, 2).hover()
    assert {p for p in marked(page, "linked") if p[0] == "y"} == {
        f"y 0,{h},{w}" for h in range(2) for w in range(2)
    }


def test_focus_links_too(opened):
    page = opened("op=max_pool2d")
    cell(page, "y", 0, 0).focus()
    assert marked(page, "linked") == {f"x 0,{h},{w}" for h in range(2) for w in range(2)}


@pytest.mark.parametrize("state", LINKED)
def test_a_click_pins(state, opened):
    page = opened(f"op={state}")
    target = every(page, LINKED[state][0]).nth(1)
    target.click()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    linked = marked(page, "linked")
    assert linked
    assert len(marked(page, "pinned")) == 1
    page.click("#next")
    assert marked(page, "linked") == linked  # it stays from step to step
    assert page.text_content("#pin").startswith("Pinned: ")
    target.click()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    assert not marked(page, "pinned") | marked(page, "linked")


GRADIENTS = {
    "conv2d&direction=backward": ("dx", "dweight"),
    "conv_transpose2d&direction=backward": ("dy", "dweight"),
    "conv1x1&direction=backward": ("dx", "dweight"),
    "max_pool2d&direction=backward": ("dx",),
    "im2col&direction=backward": ("dx",),
    "col2im&direction=backward": ("dcolumns",),
    "max_unpool2d&direction=backward": ("dy",),
    "interpolate&direction=backward": ("dx",),
    "cross_entropy": ("dscores",),
}


@pytest.mark.parametrize("state", GRADIENTS)
def test_a_pinned_gradient_stands_beside_a_finite_difference(state, opened):
    page = opened(f"op={state}")
    page.click("#last")
    for name in GRADIENTS[state]:
        for i in (0, 2):
            target = every(page, name).nth(i)
            shown = number(target.text_content())
            target.click()
            found = re.search(r"gradient is (\S+); .* gives (\S+)\.", page.text_content("#pin"))
            gradient, difference = map(number, found.groups())
            assert gradient == shown
            assert difference == pytest.approx(gradient, abs=2e-3)


def test_a_tie_has_no_gradient_that_differences_could_find(opened):
    """The first maximum gets all of it, a central difference sees half; the page says so."""
    page = opened("op=max_pool2d&direction=backward&size=2,2&_x=5,5,1,1&_gradient=3")
    cell(page, "dx", 0, 0).click()
    said = page.text_content("#pin")
    assert "gradient is 3; a finite difference of the loss gives 1.5000" in said
    assert "two maxima" in said


def test_keys_in_the_grids(opened):
    """Tab stops once in each plane; arrows move in it, Enter edits, P pins, Escape leaves."""
    page = opened("op=conv2d&channels=2&size=3,4")
    page.focus("#next")
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(
            "[document.activeElement.closest('section')?.getAttribute('aria-label'),"
            " document.activeElement.dataset.at, document.activeElement.id]"
        ))  # fmt: skip
        if stops[-1][2] == "code":
            break
    planes = [(name, at) for name, at, _ in stops if at]
    assert planes == [("x", "0,0,0"), ("x", "1,0,0"), ("weight", "0,0,0"), ("weight", "1,0,0"),
                      ("y", "0,0,0")]  # fmt: skip
    cell(page, "x", 0, 0, plane=1).focus()
    at = lambda: page.evaluate("document.activeElement.dataset.at")
    for key, place in (("ArrowUp", "1,0,0"), ("ArrowDown", "1,1,0"), ("ArrowRight", "1,1,1"),
                       ("ArrowLeft", "1,1,0"), ("ArrowLeft", "1,1,0")):  # fmt: skip
        page.keyboard.press(key)
        assert at() == place, key
    assert page.input_value("#at") == "0"  # no step was taken
    page.keyboard.press("p")
    assert marked(page, "pinned") == {"x 1,1,0"}
    page.keyboard.press("Enter")
    page.keyboard.type("42")
    page.keyboard.press("ArrowLeft")  # moves in the field
    page.keyboard.press("Enter")
    assert cell(page, "x", 1, 0, plane=1).text_content() == "42"
    assert at() == "1,1,0"
    page.keyboard.press("Escape")
    assert at() is None


def test_focus_stays_where_a_control_is_replaced(opened):
    page = opened("op=conv2d")
    page.get_by_role("button", name="backward", exact=True).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "backward"
    page.evaluate("document.querySelector('#settings-part').open = true")
    second = page.get_by_label("stride, across")
    second.focus()
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "stride, across"
    assert page.input_value("[data-focus=stride_1]") == "2"


# -- Guesses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["conv2d", "max_pool2d", "iou", "interpolate"])
def test_guess_before_the_answer_is_shown(operation, opened):
    page = opened(f"op={operation}")
    answer = page.text_content("#panels td.write")
    total = page.text_content("#sum")
    page.click("#predict")
    assert page.text_content("#panels td.write") == "?"
    assert total != page.text_content("#sum")
    assert page.text_content("#say").endswith("What will this step write?")
    page.fill("#guessed", answer)
    page.click("#guess button")
    assert page.text_content("#verdict") == "Right."
    assert page.text_content("#panels td.write") == answer
    assert page.text_content("#sum") == total
    page.click("#next")
    assert page.text_content("#verdict") == ""
    page.fill("#guessed", "12345")
    page.keyboard.press("Enter")
    assert page.text_content("#verdict") == f"It is {page.text_content('#panels td.write')}."
    page.click("#next")
    page.click("#guess button")  # nothing guessed: only revealed
    assert page.text_content("#panels td.write") != "?"
    assert page.text_content("#verdict") == ""


# -- The address ---------------------------------------------------------------------------------


def whole(page):
    """All that a state decides."""
    arrays = page.evaluate(
        "[...document.querySelectorAll('#panels section')].map(one => one.ariaLabel)"
    )
    return {
        "arrays": {name: texts(page, name) for name in arrays},
        "pinned": marked(page, "pinned"),
        "linked": marked(page, "linked"),
        "read": marked(page, "read"),
        "texts": {id: page.text_content(f"#{id}")
                  for id in ("title", "settings-said", "say", "sum", "count", "pin", "proof")},
        "pressed": page.locator("button[aria-pressed=true]").all_text_contents(),
    }  # fmt: skip


REPEATED = [
    "op=conv2d&step=4",
    "op=conv2d&direction=backward&grain=tap&step=11&channels=2&stride=2,1",
    "op=conv_transpose2d&view=zeros&step=3&predict=1",
    "op=conv_transpose2d&view=matrix&step=3&lang=ko",
    "op=max_unpool2d&way=nails&step=2",
    "op=cross_entropy&classes=5&label=0&step=9",
    "op=interpolate&align_corners=true&mode=bilinear&out=2,9",
]


@pytest.mark.parametrize("state", REPEATED)
def test_the_address_has_the_state(state, opened):
    page = opened(state)
    name = next(
        name for name in ("x", "scores", "y") if page.get_by_label(name, exact=True).count()
    )
    target = every(page, name).nth(2)
    target.dblclick()
    if page.locator("td input").count():
        page.keyboard.type("6.5")
        page.keyboard.press("Enter")
    target.click()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    page.wait_for_function("location.hash.includes('pin=')")
    page.wait_for_timeout(500)  # the address is written a few times a second at most
    before = whole(page)
    page.reload()
    assert whole(page) == before


@pytest.mark.parametrize(
    "state",
    ["op=nothing", "op=conv2d&size=99,1&stride=x&padding=-1,0&step=-4&view=zeros&grain=no",
     "op=conv2d&step=1e9&pin=nowhere:3&_x=1,2", "op=conv2d&pin=y:999&_x=", "%", "lang=xx",
     "op=max_unpool2d&_indices=99,1,2,3,4,5,6,7,8", "op=iou&_matrix=-1,0,0,0,0,0,0,0,0",
     "op=conv2d&size=1,1&kernel=1,1&padding=0,0"]
)  # fmt: skip
def test_a_wrong_address_shows_a_page(state, opened):
    page = opened(state)
    assert page.locator("#panels table").count() >= 2
    assert not page.evaluate("document.body.innerText.includes('NaN')")


def test_operations_are_chosen_by_their_links(opened):
    page = opened("lang=ko")
    for operation in OPERATIONS:
        page.click(f"nav a[data-operation={operation}]")
        page.wait_for_function("name => document.title.startsWith(name + ' ')", arg=operation)
        assert page.locator("nav a[aria-current]").text_content() == operation
        assert page.input_value("#language") == "ko"
    page.go_back()
    page.wait_for_function("document.title.startsWith('cross_entropy')")


# -- Proof and notebooks --------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["", *OPERATIONS])
def test_the_proof_counts_its_cases(operation, opened, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(make_page([operation] if operation else []), encoding="utf-8")
    page = opened(path=path)
    proof = page.locator("#proof")
    right, all_ = (int(proof.get_attribute(f"data-{name}")) for name in ("right", "all"))
    assert right == all_ == 20
    assert re.fullmatch(r"20 of 20 results equal minifcn \S+'s kernels", proof.text_content())
    assert "bad" not in (proof.get_attribute("class") or "")


def test_a_difference_is_shown_in_red(opened, tmp_path):
    before, mark, rest = make_page(["conv2d"]).partition('id="data">')
    text, end, after = rest.partition("</script>")
    data = json.loads(text)
    data["cases"][4]["y"][0] += 0.25
    path = tmp_path / "page.html"
    path.write_text(before + mark + json.dumps(data) + end + after, encoding="utf-8")
    proof = opened(path=path).locator("#proof")
    assert proof.text_content().startswith("19 of 20 results")
    red, green, blue = map(
        int, re.findall(r"\d+", proof.evaluate("node => getComputedStyle(node).color"))
    )
    assert red > 2 * max(green, blue)


def test_a_notebook_shows_the_readers_arrays(opened, tmp_path):
    shown = explain("conv2d", [[1.5, 2], [3, 4], [5, 6]], [[[[1.0, 0], [0, -1]]]], stride=(2, 1))
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{shown._repr_html_()}</body>", encoding="utf-8")
    frame = opened(path=path).frame_locator("iframe")
    frame.locator("#next").click()
    assert frame.locator("#count").text_content().startswith("step 2 of")
    cells = frame.locator('section[aria-label="x"] td:not(.pad)')
    assert cells.all_text_contents() == ["1.5", "2", "3", "4", "5", "6"]
    assert "stride 2×1" in frame.locator("#settings-said").text_content()


def test_a_kept_page_of_a_notebook_keeps_its_arrays(opened, tmp_path):
    path = tmp_path / "mine.html"
    path.write_text(explain("max_pool2d", [[9, 8], [7, 6]], padding=1).page, encoding="utf-8")
    page = opened(path=path)
    page.click("#next")
    page.wait_for_function("location.hash.includes('step=')")
    page.reload()
    assert numbers(page, "x").tolist() == [[[9, 8], [7, 6]]]
    assert "padding 1×1" in page.text_content("#settings-said")
