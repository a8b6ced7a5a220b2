"""Pages opened in Chromium."""

import pytest

from minifcn.explain import make_page


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """The page of all operations."""
    path = tmp_path_factory.mktemp("explain") / "page.html"
    path.write_text(make_page(), encoding="utf-8")
    return path


@pytest.fixture
def opened(chromium, page_file):
    """Open a page at a state; at the end no script failed and nothing but the page was asked for.

    Settings of the browser, such as color_scheme, come by name; `path` is another file.
    """
    contexts, faults, asked = [], [], []

    def open_page(state="", path=page_file, **settings):
        context = chromium.new_context(**settings)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: said.type == "error" and faults.append(said.text))
        own = path.as_uri()
        page.on("request", lambda request: request.url.split("#")[0] != own
                and not request.url.startswith(("blob:", "data:"))
                and asked.append(request.url))  # fmt: skip
        page.goto(f"{own}#{state}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults
    assert not asked
