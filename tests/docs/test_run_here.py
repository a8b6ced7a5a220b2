"""Tutorials run in the book's pages, in Chromium, by Pyodide from the folder MINIFCN_PYODIDE."""

import contextlib
import io
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pages import ROOT
from run_here import STATIC, cells_of, make_book

from minifcn.course.book_server import BookServer, Pyodide

pytestmark = pytest.mark.browser

SECONDS = 60
BREAK_DOWN = """
import js
from pyodide.ffi import to_js
told = {"kind": "broken", "message": "no room left"}
js.postMessage(to_js(told, dict_converter=js.Object.fromEntries))
while True:
    pass
"""
"""What the worker says when Python itself fails, as of a stack that is used up."""

PAGES = {
    "small": ["a = 2\nprint('a is', a)", "a + 1", "a / 0", "print('not reached')"],
    "endless": ["kept = 7", "print('begun')\nwhile True:\n    pass", "kept"],
    "talkative": ["while True:\n    print('again and again')"],
    "broken": ["a = 1", BREAK_DOWN, "a"],
    "14_the_whole_job": ["print(1)"],
    "15_pretrained": ["print(1)"],
} | {
    path.stem: list(cells_of(path))
    for number in ("02", "03", "08", "09")
    for path in (ROOT / "tutorials").glob(f"{number}_*.py")
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return make_book(tmp_path_factory.mktemp("book"), PAGES)


@pytest.fixture(scope="module")
def pyodide():
    folder = os.environ.get("MINIFCN_PYODIDE")
    if not folder:
        pytest.skip("MINIFCN_PYODIDE names no folder of Pyodide's files")
    return Pyodide(Path(folder))


@contextlib.contextmanager
def served(*arguments):
    with BookServer(*arguments, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def opened(chromium, book):
    """Open a page of the book; no script of it may fail."""
    faults, stack = [], contextlib.ExitStack()

    def open_page(name, pyodide=None, **settings):
        address = stack.enter_context(served(book, pyodide))
        context = stack.enter_context(contextlib.closing(chromium.new_context(**settings)))
        context.set_default_timeout(SECONDS * 1000)
        page = context.new_page()
        page.asked = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(f"{address}pages/{name}.html")
        page.address = address
        return page

    with stack:
        yield open_page
    assert not faults


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def finished(page):
    """Wait until Python has nothing more to do; return what the bar says."""
    page.wait_for_selector(".run-here[data-busy=false]")
    return page.inner_text(".run-here [role=status]")


def output(page, number):
    return page.locator(".run-here-output").nth(number - 1)


def printed(page, number):
    return output(page, number).inner_text().strip()


def run_all(page):
    button(page, "Run this page").click()
    return finished(page)


# -- Without Python ------------------------------------------------------------------------------


def test_nothing_is_loaded_before_it_is_asked_for(opened):
    page = opened("small")
    page.wait_for_selector(".run-here button")
    assert not [url for url in page.asked if "pyodide" in url or "worker" in url or ".zip" in url]
    assert page.inner_text(".cell_output >> nth=0") == "what the book printed"


@pytest.mark.parametrize("name", ["14_the_whole_job", "15_pretrained"])
def test_a_tutorial_that_does_not_run_says_why(name, opened):
    page = opened(name)
    assert "does not run here" in page.inner_text(".run-here [role=status]")
    assert page.get_by_role("button").count() == 0


def test_without_pyodide_and_internet_it_is_said(opened):
    page = opened("small")
    page.route("https://**", lambda route: route.abort())
    said = run_all(page)
    assert "Python could not be loaded from https://cdn.jsdelivr.net/pyodide/v" in said
    assert button(page, "Run this page").get_attribute("aria-disabled") == "false"


# -- With Python ---------------------------------------------------------------------------------


def test_cells_print_and_the_page_ends_at_an_error(opened, pyodide):
    page = opened("small", pyodide)
    assert run_all(page) == "Cell 3 ended with an error."
    assert printed(page, 1) == "a is 2"
    assert printed(page, 2) == "3"
    assert printed(page, 3).splitlines() == [
        "Traceback (most recent call last):",
        '  File "cell 3", line 1, in <module>',
        "    a / 0",
        "    ~~^~~",
        "ZeroDivisionError: division by zero",
    ]
    assert printed(page, 4) == ""
    assert page.locator(".cell_output:visible").count() == 1  # of the cell that has not run
    assert all(url.startswith((page.address, "blob:")) for url in page.asked)


class Elsewhere(BaseHTTPRequestHandler):
    """Pyodide's own address, played: its files, with the two headers that it sends to all."""

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.send_response(200)
        kind = "application/wasm" if name.endswith(".wasm") else "text/javascript"
        self.send_header("Content-Type", kind)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.end_headers()
        self.wfile.write(self.server.pyodide.read(name))

    def log_message(self, *_):
        pass


def test_pyodide_may_come_from_elsewhere(opened, pyodide):
    page = opened("small")
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        elsewhere.pyodide = pyodide
        threading.Thread(target=elsewhere.serve_forever, args=(0.05,)).start()
        address = f"http://localhost:{elsewhere.server_port}/"
        script = (STATIC / "run_here.js").read_text(encoding="utf-8")
        script, count = re.subn(r"(const CDN = )`https://.*`", rf'\1"{address}"', script)
        page.route("**/run_here.js", lambda route: route.fulfill(
            body=script, content_type="text/javascript"))  # fmt: skip
        page.reload()
        try:
            assert run_all(page) == "Cell 3 ended with an error."
        finally:
            elsewhere.shutdown()
    assert count == 1
    assert printed(page, 1) == "a is 2"


def test_edits_are_kept_and_can_be_undone(opened, pyodide):
    page = opened("small", pyodide)
    run_all(page)
    editor = page.locator("textarea").first
    editor.fill("a = 40")
    editor.press("Control+Enter")
    finished(page)
    page.locator("textarea").nth(1).press("Control+Enter")
    finished(page)
    assert printed(page, 2) == "41"
    page.reload()
    assert page.locator("textarea").first.input_value() == "a = 40"
    assert "You have changed 1 of the cells" in page.inner_text(".run-here [role=status]")
    button(page, "Reset").first.click()
    assert page.locator("textarea").first.input_value() == PAGES["small"][0]
    page.reload()
    page.wait_for_selector(".run-here button")
    assert page.locator("textarea").count() == 0


def test_a_cell_runs_those_above_it_first(opened, pyodide):
    page = opened("small", pyodide)
    page.evaluate("""localStorage.setItem("minifcn:small:1", '{"from": "x", "text": "a = 5"}')""")
    page.reload()
    assert "the book's code has changed since" in page.inner_text(".run-here-state >> nth=0")
    button(page, "Run").nth(1).click()
    finished(page)
    assert printed(page, 2) == "6"


def test_stop_ends_a_cell_and_keeps_what_was_computed(opened, pyodide):
    page = opened("endless", pyodide)
    button(page, "Run this page").click()
    output(page, 2).get_by_text("begun").wait_for()
    button(page, "Stop").click()
    assert "Cell 2 was stopped" in finished(page)
    assert "KeyboardInterrupt" in printed(page, 2)
    page.locator("textarea").nth(1).fill("")
    button(page, "Run").nth(2).click()
    finished(page)
    assert printed(page, 3) == "7"


def test_a_second_stop_ends_python(opened, pyodide):
    """As does the first, where the page shares no memory with Python."""
    page = opened("endless", pyodide)
    page.add_init_script("Object.defineProperty(self, 'crossOriginIsolated', {value: false})")
    page.reload()
    button(page, "Run this page").click()
    output(page, 2).get_by_text("begun").wait_for()
    button(page, "Stop").click()
    assert "What was computed is gone" in finished(page)


def test_python_that_breaks_down_is_begun_again(opened, pyodide):
    page = opened("broken", pyodide)
    said = run_all(page)
    assert said.startswith("Python broke down (no room left). What was computed is gone")
    page.locator("textarea").nth(1).fill("")
    button(page, "Run").nth(2).click()
    assert finished(page).startswith("Done")
    assert printed(page, 3) == "1"


def test_endless_output_is_cut(opened, pyodide):
    page = opened("talkative", pyodide)
    button(page, "Run this page").click()
    output(page, 1).get_by_text("is left out").wait_for()
    button(page, "Stop").click()
    finished(page)
    assert len(printed(page, 1)) < 101_000


@pytest.mark.parametrize("number", ["02", "03", "08", "09"])
def test_tutorials_give_the_numbers_they_give_elsewhere(
    number, opened, pyodide, tmp_path, monkeypatch
):
    (name,) = (name for name in PAGES if name.startswith(number))
    page = opened(name, pyodide)
    said = run_all(page)
    assert page.locator(".run-here-output [data-kind=error]").all_inner_texts() == []
    assert said.startswith("Done")
    given = "\n".join(page.locator(".run-here-output").all_inner_texts())
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as native:
        exec("\n".join(PAGES[name]), {"__name__": "__main__"})
    assert held_to_the_text(given) == held_to_the_text(native.getvalue()) != []
    assert "in the original" not in given
    shown = page.locator(".run-here-output :is(img, iframe)").count()
    assert shown == native.getvalue().count("picture: ") + native.getvalue().count("page: ") > 0
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")


def held_to_the_text(printed):
    return [line for line in printed.splitlines() if "the text says" in line]
