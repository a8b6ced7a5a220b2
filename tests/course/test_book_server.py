"""The book's server: types and headers, nothing outside of its folders, Pyodide's files checked."""

import hashlib
import http.client
import json
import re
import threading

import pytest

from minifcn.course import book_server
from minifcn.course.book_server import CORE, LOCK, VERSION, BookServer, Pyodide


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "index.html").write_text("the book", encoding="utf-8")
    (folder / "sub" / "index.html").write_text("below", encoding="utf-8")
    (folder / "a b.js").write_text("1", encoding="utf-8")
    (tmp_path / "secret.html").write_text("secret", encoding="utf-8")
    (tmp_path / "site-secret.html").write_text("secret", encoding="utf-8")
    return folder


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def pyodide_folder(tmp_path, monkeypatch):
    """A folder that looks like Pyodide's, of small files, whose SHA-256 are known instead."""
    folder = tmp_path / "pyodide"
    folder.mkdir()
    wheels = {
        "numpy": [],
        "pillow": [],
        "matplotlib": ["cycler"],
        "threadpoolctl": [],
        "cycler": [],
    }
    packages = {
        name: {
            "file_name": f"{name}.whl",
            "sha256": digest(name.encode()),
            "depends": depends,
        }
        for name, depends in (wheels | {"scipy": []}).items()
    }
    lock = json.dumps({"packages": packages}).encode()
    contents = {name: name.encode() for name in CORE}
    monkeypatch.setattr(book_server, "CORE", {n: digest(c) for n, c in contents.items()})
    for name, content in (
        contents | {LOCK: lock} | {f"{name}.whl": name.encode() for name in wheels}
    ).items():
        (folder / name).write_bytes(content)
    (folder / "other.js").write_bytes(b"other")
    return folder


@pytest.fixture
def ask():
    """Serve, and ask for a path as it stands, which no client has tidied up."""
    running = []

    def start(*arguments):
        server = BookServer(*arguments, port=0)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        running.append((server, thread))

        def get(path, method="GET"):
            connection = http.client.HTTPConnection(*server.server_address, timeout=20)
            connection.putrequest(method, path, skip_host=False)
            connection.endheaders()
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer, content

        return get

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


# -- Answers -------------------------------------------------------------------------------------


def test_pages_are_served(site, ask):
    get = ask(site)
    assert get("/")[1] == get("/index.html?x=1")[1] == b"the book"
    assert get("/sub/")[1] == b"below"
    assert get("/a%20b.js")[1] == b"1"
    answer, content = get("/missing.html")
    assert (answer.status, content) == (404, b"There is no such page.\n")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.zip", "application/zip"),
        ("a.whl", "application/octet-stream"),
    ],
)
def test_types_are_what_browsers_ask_for(name, kind, site, ask):
    (site / name).write_bytes(b"1234")
    answer, content = ask(site)(f"/{name}")
    assert answer.getheader("Content-Type") == kind
    assert answer.getheader("Content-Length") == "4"
    assert content == b"1234"


def test_pages_may_share_memory_with_python(site, ask):
    for path in ("/", "/missing"):
        answer, _ = ask(site)(path)
        assert answer.getheader("Cross-Origin-Opener-Policy") == "same-origin"
        assert answer.getheader("Cross-Origin-Embedder-Policy") == "require-corp"


def test_head_has_the_headers_alone(site, ask):
    answer, content = ask(site)("/", "HEAD")
    assert (answer.status, answer.getheader("Content-Length"), content) == (200, "8", b"")


# -- Nothing else --------------------------------------------------------------------------------

OUTSIDE = [
    "/../secret.html",
    "/sub/../../secret.html",
    "/%2e%2e/secret.html",
    "/..%2fsecret.html",
    "/..%5csecret.html",
    "/sub/%2e%2e/%2e%2e/secret.html",
    "/../site-secret.html",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/C:/secret.html",
    "/%00",
    "/pyodide/../../secret.html",
    "/pyodide/%2e%2e/secret.html",
    "/pyodide/..%2fsecret.html",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out(path, site, pyodide_folder, ask):
    for pyodide in (None, Pyodide(pyodide_folder)):
        answer, content = ask(site, pyodide)(path)
        assert answer.status == 404
        assert b"secret" not in content


def test_links_may_lead_within_but_not_out(site, ask):
    try:
        (site / "in.html").symlink_to(site / "sub" / "index.html")
        (site / "out.html").symlink_to(site.parent / "secret.html")
        (site / "folder").symlink_to(site.parent, target_is_directory=True)
        (site / "round").symlink_to(site / "round")
    except OSError:
        pytest.skip("this system makes no links")
    get = ask(site)
    assert get("/in.html")[1] == b"below"
    assert [get(f"/{name}")[0].status for name in ("out.html", "folder/secret.html", "round")] == [
        404
    ] * 3


def test_only_this_machine_is_let_in(site):
    with BookServer(site, port=0) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.address)


def test_a_folder_that_is_no_book(tmp_path):
    with pytest.raises(ValueError, match=r"not a built book, it has no index\.html"):
        BookServer(tmp_path)


# -- Pyodide -------------------------------------------------------------------------------------


def test_pyodide_is_served_where_it_was_given(site, pyodide_folder, ask):
    get = ask(site, Pyodide(pyodide_folder))
    assert get("/pyodide/pyodide.mjs")[1] == b"pyodide.mjs"
    assert get("/pyodide/cycler.whl")[1] == b"cycler"
    assert get("/pyodide/other.js")[0].status == 404
    assert get("/pyodide/")[0].status == 404
    assert ask(site)("/pyodide/pyodide.mjs")[0].status == 404


@pytest.mark.parametrize("name", ["pyodide.asm.wasm", "cycler.whl"])
def test_a_changed_file_is_refused(name, pyodide_folder):
    with (pyodide_folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(
        ValueError, match=f"{name}: not the file of Pyodide .*, its SHA-256 differs"
    ):
        Pyodide(pyodide_folder)


@pytest.mark.parametrize("name", ["python_stdlib.zip", "pyodide-lock.json", "cycler.whl"])
def test_a_missing_file_is_named(name, pyodide_folder):
    (pyodide_folder / name).unlink()
    with pytest.raises(ValueError, match=f"{name}: no such file|{name}: No such file"):
        Pyodide(pyodide_folder)


@pytest.mark.parametrize("text", ["{}", '{"packages": {"numpy": {}}}'])
def test_another_lock_is_refused(text, pyodide_folder):
    (pyodide_folder / LOCK).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="not the lock of Pyodide .*, it lacks (numpy|pillow)"):
        Pyodide(pyodide_folder)


def test_files_are_checked_when_they_go_out_too(site, pyodide_folder, ask):
    get = ask(site, Pyodide(pyodide_folder))
    assert get("/pyodide/scipy.whl")[0].status == 404  # the lock has it, the folder has not
    (pyodide_folder / "scipy.whl").write_bytes(b"scipy")
    assert get("/pyodide/scipy.whl")[1] == b"scipy"
    (pyodide_folder / "scipy.whl").write_bytes(b"another")
    (pyodide_folder / "numpy.whl").write_bytes(b"another")
    (pyodide_folder / LOCK).write_bytes(b"{}")
    assert get(f"/pyodide/{LOCK}")[0].status == 404
    assert get("/pyodide/scipy.whl")[0].status == 404
    assert get("/pyodide/numpy.whl")[0].status == 404


def test_pages_load_the_version_that_is_checked():
    from pathlib import Path

    script = Path(__file__).parents[2] / "docs" / "static" / "run_here.js"
    assert f'const VERSION = "{VERSION}";' in script.read_text(encoding="utf-8")
