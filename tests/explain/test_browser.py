"""Pages in headless Chromium: every control, editing, pasting, keys, links and the address."""

import re

import numpy as np
import pytest
from shown import cell, marked, numbers, texts

from minifcn import kernels
from minifcn.explain import OPERATIONS
from minifcn.tensor import Tensor

pytestmark = pytest.mark.browser

LAST = "document.querySelector('#last').click()"


def count(page):
    """The step that is shown and how many there are."""
    return tuple(map(int, re.findall(r"\d+", page.text_content("#count"))))


def press(page, *labels):
    """Press buttons by their text."""
    for label in labels:
        page.get_by_role("button", name=label, exact=True).click()


# -- Steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_steps_by_buttons_slider_and_keys(operation, opened):
    page = opened(f"op={operation}")
    first, steps = count(page)
    assert first == 1
    assert steps > 2
    page.click("#next")
    assert count(page) == (2, steps)
    page.click("#last")
    assert count(page) == (steps, steps)
    page.click("#back")
    assert count(page) == (steps - 1, steps)
    page.click("#first")
    assert count(page) == (1, steps)
    page.fill("#at", "2")
    assert count(page) == (3, steps)
    page.evaluate("document.activeElement.blur()")
    for key, step in (("End", steps), ("Home", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        assert count(page) == (step, steps), key
    page.keyboard.press("ArrowLeft")  # there is none before the first
    assert count(page) == (1, steps)


def test_play_goes_on_and_space_stops_it(opened):
    page = opened("op=conv2d")
    page.fill("#speed", "8")
    page.click("#play")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    page.wait_for_function("document.querySelector('#at').value >= 3")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")
    assert page.get_attribute("#play", "aria-pressed") == "false"
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('#play').ariaPressed === 'false'")
    assert count(page)[0] == count(page)[1]  # it stops at the end


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_step_is_told(operation, opened):
    page = opened(f"op={operation}")
    for step in range(1, 5):
        said, total = page.text_content("#say"), page.text_content("#sum")
        assert said.startswith(f"step {step} of ")
        assert page.get_attribute("#say", "aria-live") == "polite"
        assert " = " in total
        assert marked(page, "read") | marked(page, "write")
        page.click("#next")


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "iou"])
def test_the_line_that_runs_is_marked(operation, opened):
    page = opened(f"op={operation}")
    running = OPERATIONS[operation].forward[0][1]
    assert running in page.text_content("#code mark")
    if operation != "cross_entropy":
        before = page.text_content("#loop")
        page.click("#last")
        assert page.text_content("#loop") != before


# -- Numbers are those of the call that the page shows ---------------------------------------------


def as_called(page, operation, **names):
    """Run the call to minifcn as the page shows it; return the variables it leaves."""
    names = {name: Tensor(value) for name, value in names.items()}
    exec(page.text_content("#call-minifcn"), names)
    return names


STATES = [
    ("conv2d", ""),
    ("conv2d", "size=4,7&kernel=2,3&stride=2,1&padding=0,2&dilation=2,1"),
    ("conv2d", "channels=4&filters=2&groups=2&size=4,4&kernel=3,1"),
    ("conv_transpose2d", ""),
    ("conv_transpose2d", "size=2,3&kernel=2,4&stride=3,2&padding=0,1&output_padding=2,1"),
    ("conv_transpose2d", "channels=2&filters=4&groups=2&dilation=2,1"),
    ("conv_transpose2d", "view=zeros"),
    ("max_pool2d", ""),
    ("max_pool2d", "channels=2&size=5,7&kernel=3,2&stride=2,1&padding=1,0"),
    ("interpolate", "size=3,5&out=7,2"),
    ("interpolate", "mode=nearest&out=2,9"),
    ("interpolate", "align_corners=true"),
    ("max_unpool2d", "channels=2&kernel=3,2"),
    ("max_unpool2d", "way=nearest&size=2,4"),
]


@pytest.mark.parametrize(("operation", "settings"), STATES)
def test_the_result_is_what_the_shown_call_returns(operation, settings, opened):
    page = opened(f"op={operation}&{settings}&direction=forward")
    turned = operation in ("conv_transpose2d", "max_unpool2d")
    given, result = ("y", "x") if turned else ("x", "y")
    page.evaluate(LAST)
    shown = numbers(page, result)
    arrays = {}
    if "view=zeros" in settings:
        press(page, "as stamps")
        page.evaluate(LAST)
    arrays[given] = numbers(page, given)[None]
    if "conv" in operation:
        flat = numbers(page, "weight")
        rows = {"conv2d": "filters", "conv_transpose2d": "channels"}[operation]
        first = int(page.input_value(f"[data-setting={rows}]"))
        arrays["weight"] = flat.reshape((first, -1, *flat.shape[1:]))
    if operation == "max_unpool2d" and "way" not in settings:
        arrays["indices"] = numbers(page, "indices")[None].astype(np.int64)
    returned = as_called(page, operation, **arrays)
    np.testing.assert_allclose(shown, returned[result].numpy()[0], atol=5e-5)
    if operation == "max_pool2d":
        np.testing.assert_array_equal(numbers(page, "indices"), returned["indices"].numpy()[0])


@pytest.mark.parametrize(("operation", "settings"), STATES[:6])
def test_the_size_formula_is_filled_in(operation, settings, opened):
    page = opened(f"op={operation}&{settings}")
    shape = numbers(page, "x" if "transpose" in operation else "y").shape
    lines = page.text_content("#formula").split("\n")
    assert [int(line.split("= ")[-1]) for line in lines] == list(shape[1:])


def test_backward_ends_in_the_gradients(opened):
    page = opened("op=conv2d&direction=backward&channels=2&filters=2&size=4,5&stride=2,1")
    page.evaluate(LAST)
    x, dy = numbers(page, "x")[None], numbers(page, "dy")[None]
    weight = numbers(page, "weight").reshape((2, 2, 3, 3))
    rest = (4 + 2 - 3) % 2, 0
    dx = kernels.conv_transpose2d(dy, weight, (2, 1), (1, 1), rest)
    np.testing.assert_array_equal(numbers(page, "dx"), dx[0])
    dweight = kernels.conv2d_weight(x, dy, (3, 3), (2, 1), (1, 1))
    np.testing.assert_array_equal(numbers(page, "dweight"), dweight.reshape((4, 3, 3)))


@pytest.mark.parametrize(
    ("preset", "counts"),
    [
        ("checkerboard: kernel 3, stride 2", {1, 2, 4}),
        ("even overlaps: kernel 4, stride 2", {1, 2, 4}),
    ],
)
def test_presets_count_overlaps(preset, counts, opened):
    """Kernel 3, stride 2 overlaps unevenly everywhere; kernel 4 evenly but at the edges."""
    page = opened("op=conv_transpose2d")
    press(page, preset)
    page.evaluate(LAST)
    x = numbers(page, "x")[0]
    assert set(x.ravel()) == counts
    inner = x[2:-2, 2:-2]
    assert set(inner.ravel()) == ({4} if "kernel 4" in preset else {1, 2, 4})


# -- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_setting_can_be_changed(operation, opened):
    """Each control, up and down: the page shows another story, or says what does not fit."""
    page = opened(f"op={operation}&predict=1")
    page.evaluate("document.querySelector('#settings-part').open = true")
    fields = page.locator("#settings [data-setting]")
    for i in range(fields.count()):
        field = fields.nth(i)
        if field.evaluate("node => node.tagName") == "SELECT":
            for value in field.evaluate("node => [...node.options].map(one => one.value)"):
                field.select_option(value)
                assert fields.nth(i).input_value() == value
            continue
        low, high = int(field.get_attribute("min")), int(field.get_attribute("max"))
        before = field.input_value()
        for value in (low, high, before):
            fields.nth(i).fill(str(value))
            fields.nth(i).press("Tab")
            assert fields.nth(i).input_value() == str(value)
            told = page.locator("#panels table").count()
            assert bool(told) == ("step" in page.text_content("#count"))
            assert page.text_content("#say").strip()
        fields.nth(i).fill("99")
        fields.nth(i).press("Tab")
        assert fields.nth(i).input_value() == str(high)
        fields.nth(i).fill(before)
        fields.nth(i).press("Tab")
    assert page.locator("#panels table").count()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("op=conv2d&size=2,2&kernel=5,5&padding=0,0", "No window fits"),
        ("op=conv_transpose2d&size=1,1&kernel=1,1&padding=1,1", "cuts away the whole result"),
        ("op=conv_transpose2d&output_padding=2,0", "less than the larger of stride"),
        ("op=conv2d&groups=2", "multiples of groups"),
        ("op=max_pool2d&padding=2,2", "at most half"),
        ("op=conv_transpose2d&view=zeros&channels=2&filters=2&groups=2", "groups = 1"),
        ("op=conv_transpose2d&view=matrix&size=6,6", "choose smaller"),
    ],
)
def test_what_does_not_fit_is_said(state, said, opened):
    page = opened(state)
    assert said in page.text_content("#say")
    assert page.locator("#panels table").count() == 0
    for key in ("ArrowRight", "End", " "):
        page.keyboard.press(key)
    assert said in page.text_content("#say")
    page.evaluate("location.hash = '#op=conv2d'")
    page.wait_for_selector("#panels table")


# -- Editing and pasting ---------------------------------------------------------------------------


def write(page, target, value, key="Enter"):
    target.dblclick()
    page.keyboard.type(value)
    page.keyboard.press(key)


def test_any_number_can_be_edited(opened):
    page = opened("op=conv2d&step=29")
    before = numbers(page, "y")
    write(page, cell(page, "x", 2, 3), "2,5")
    assert cell(page, "x", 2, 3).text_content() == "2.5"
    write(page, cell(page, "weight", 0, 0), "−7")
    x, weight = numbers(page, "x")[None], numbers(page, "weight")[None]
    assert (weight[0, 0, 0, 0], x[0, 0, 2, 3]) == (-7, 2.5)
    after = numbers(page, "y")
    np.testing.assert_array_equal(after, kernels.conv2d(x, weight, padding=1)[0])
    assert (before != after).any()
    assert count(page)[0] == 30  # the step stays


@pytest.mark.parametrize("wrong", ["abc", " ", "1e999", "1 2", "NaN"])
def test_a_wrong_number_changes_nothing(wrong, opened):
    page = opened("op=conv2d")
    before = texts(page, "x")
    write(page, cell(page, "x", 1, 1), wrong)
    assert texts(page, "x") == before
    write(page, cell(page, "x", 1, 1), "8", key="Escape")
    assert texts(page, "x") == before


@pytest.mark.parametrize(
    ("state", "array", "wrong", "right"),
    [
        ("op=max_unpool2d", "indices", ("36", "-1", "1.5"), "35"),
        ("op=iou", "matrix", ("-1", "0.5"), "12"),
    ],
)
def test_numbers_that_count_or_point_are_checked(state, array, wrong, right, opened):
    page = opened(state)
    before = texts(page, array)
    for value in wrong:
        write(page, cell(page, array, 1, 1), value)
        assert texts(page, array) == before
    write(page, cell(page, array, 1, 1), right)
    assert cell(page, array, 1, 1).text_content() == right


def test_results_are_not_edited(opened):
    page = opened("op=conv2d")
    cell(page, "y", 0, 0).dblclick()
    assert page.locator("td input").count() == 0


def paste(page, value, into=None):
    page.evaluate("document.querySelector('#pasted').closest('details').open = true")
    if into:
        page.select_option("#paste-into", into)
    page.fill("#pasted", value)
    page.click("#paste")
    return page.text_content("#paste-said")


@pytest.mark.parametrize(
    "value", ["1 2 3\n4 5 6", "[[1., 2., 3.],\n [4., 5., 6.]]", "1, 2, 3\n4,5,6",
              "array([[1, 2, 3],\n       [4, 5, 6]])", "1\t2\t3\r\n4\t5\t6\n"]
)  # fmt: skip
def test_an_array_is_pasted_and_sets_the_size(value, opened):
    page = opened("op=conv2d")
    assert paste(page, value) == ""
    np.testing.assert_array_equal(numbers(page, "x"), [[[1, 2, 3], [4, 5, 6]]])
    assert "size 2×3" in page.text_content("#settings-said")


def test_a_kernel_is_pasted(opened):
    page = opened("op=conv2d&channels=2&filters=2&groups=2&size=4,4")
    assert paste(page, "1 0 -1", into="weight") == ""
    np.testing.assert_array_equal(numbers(page, "weight"), [[[1, 0, -1]]])
    assert "kernel 1×3" in page.text_content("#settings-said")
    assert paste(page, str(np.arange(16).reshape(4, 4)), into="x") == ""
    np.testing.assert_array_equal(numbers(page, "x")[0], np.arange(16).reshape(4, 4))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "cannot be read"),
        ("one two", "cannot be read"),
        ("1 2\n3", "cannot be read"),
        ("1 2 3; drop", "cannot be read"),
        (" ".join("1" * 13), "do not fit"),
        ("1\n" * 13, "do not fit"),
        ("1e999 2", "do not fit"),
    ],
)
def test_wrong_pastes_change_nothing(value, said, opened):
    page = opened("op=conv2d")
    before = texts(page, "x"), page.text_content("#settings-said")
    assert said in paste(page, value)
    press(page, "predict first")  # draws all again
    assert (texts(page, "x"), page.text_content("#settings-said")) == before


def test_a_paste_that_no_window_fits_changes_nothing(opened):
    page = opened("op=conv2d&padding=0,0")
    before = texts(page, "x"), page.text_content("#settings-said")
    assert "do not fit" in paste(page, "1 2\n3 4")
    press(page, "predict first")  # draws all again
    assert (texts(page, "x"), page.text_content("#settings-said")) == before
