"""minifcn serve-book: says where it serves, ends with Ctrl-C, and refuses in one line."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("the book", encoding="utf-8")
    return folder


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console")
def test_it_serves_until_ctrl_c(site):
    process = subprocess.Popen(
        [sys.executable, "-m", "minifcn", "serve-book", str(site), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert answer.read() == b"the book"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert err.splitlines() == ["serving until Ctrl-C", "minifcn: interrupted"]


def test_a_port_in_use(site, refused):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} is in use" in refused("serve-book", site, "--port", port)


@pytest.mark.parametrize("port", ["-1", "65536", "x", ""])
def test_what_is_no_port(port, site, refused):
    assert "must be a whole number from 0 to 65535" in refused("serve-book", site, f"--port={port}")


def test_an_address_of_another_machine(site, refused):
    assert "192.0.2.1" in refused("serve-book", site, "--host", "192.0.2.1")


def test_what_is_no_book(tmp_path, refused):
    assert "not a built book" in refused("serve-book", tmp_path)
    assert "not a built book" in refused("serve-book", tmp_path / "missing")


def test_what_is_not_pyodide(site, tmp_path, refused):
    said = refused("serve-book", site, "--pyodide", tmp_path)
    assert "pyodide-lock.json: " in said
