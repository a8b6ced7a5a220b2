"""Serves the built book to browsers, and Pyodide beside it: files are checked before they go out.

A browser runs tutorials only over http. Two headers tell it that pages of other origins have no
part in these, and so it lets a page share memory with Python in a worker: Stop needs that.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import unquote, urlsplit

from minifcn.system.files import read_json

VERSION = "314.0.3"
"""The version of Pyodide that the book is made for; docs/static/run_here.js has it, too."""

CORE = {
    "pyodide.mjs": "5cfc46f5dcbaf2a16f26e2363f441873eb424762609cc03db00d6a2ace4d00e5",
    "pyodide.asm.mjs": "1a9775427ef6e8abaa7db88ece0515422d1886915ae5c9093776410c865dfd8d",
    "pyodide.asm.wasm": "e7f8fac36f8bf11085309cbc5c829b3ec3057c18bf1d73b05a6741612d63cdbf",
    "python_stdlib.zip": "444c770dfd75a32097fc0a7d5c1413fd3140601f49c3a1f2e9af0376fcd124b4",
}
"""SHA-256 of Pyodide's own files, as npm has them. The lock has those of the packages."""

LOCK = "pyodide-lock.json"

PACKAGES = ("numpy", "pillow", "matplotlib", "threadpoolctl")
"""What the tutorials need, and with it what these depend on."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".inv": "application/octet-stream",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".py": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
"""Not those of `mimetypes`, which Windows lets other programs change."""


class Pyodide:
    """A folder of Pyodide's files, each of which is checked before it is first given out.

    Raises:
        ValueError: a file that the tutorials need is missing, or is not as its SHA-256 says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        lock = self.folder / LOCK
        packages = read_json(lock).get("packages", {})
        missing = [name for name in PACKAGES if name not in packages]
        if missing:
            raise ValueError(f"{lock}: not the lock of Pyodide {VERSION}, it lacks {missing[0]}")
        self.known = CORE | {file["file_name"]: file["sha256"] for file in packages.values()}
        self.known[LOCK] = _digest(lock.read_bytes())
        for name in [*CORE, *_files_of(PACKAGES, packages)]:
            self.read(name)

    def read(self, name: str) -> bytes:
        """Return a file's bytes, once they are checked.

        Raises:
            ValueError: it is not Pyodide's, is missing, or is not as it should be.
        """
        path = self.folder / name
        if name not in self.known:
            raise ValueError(f"{name!r} is no file of Pyodide {VERSION}")
        if not path.is_file():
            raise ValueError(f"{path}: no such file")
        content = path.read_bytes()
        if _digest(content) != self.known[name]:
            raise ValueError(f"{path}: not the file of Pyodide {VERSION}, its SHA-256 differs")
        return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _files_of(names: tuple[str, ...], packages: dict[str, Any]) -> list[str]:
    """The files of packages, and of those on which they depend."""
    needed: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in needed:
            needed.add(name)
            left += packages[name]["depends"]
    return sorted(packages[name]["file_name"] for name in needed)


class BookServer(ThreadingMixIn, TCPServer):
    """A server of the files of the book, and of Pyodide's below /pyodide/.

    Args:
        site: the folder that the book was built into.
        pyodide: Pyodide's files; None leaves what pages load to them, the book's or the internet's.
        host: an address of this machine; 127.0.0.1 lets nobody else in.
        port: 0 takes a free one.

    Raises:
        ValueError: site is not a built book.
        OSError: the address is in use, or is not one of this machine.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows a second server could take the same port

    def __init__(
        self,
        site: Path,
        pyodide: Pyodide | None = None,
        host: str = "127.0.0.1",
        port: int = 8000,
    ) -> None:
        self.site, self.pyodide = site.resolve(), pyodide
        if not (self.site / "index.html").is_file():
            raise ValueError(
                f"{site}: not a built book, it has no index.html; sphinx-build docs {site}"
                " builds it"
            )
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ValueError(f"{host}:{port}: {error.strerror or error}") from error
            raise ValueError(f"port {port} is in use: choose another by --port") from error

    @property
    def address(self) -> str:
        """What is to be opened in a browser."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://{socket.gethostname() if host == '0.0.0.0' else host}:{port}/"

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Return the name and bytes of what an address's path names, None if there is no such.

        Only files below the two folders are found: neither `..` nor a link leads out of them.
        """
        parts = [part for part in unquote(path).split("/") if part]
        if any(
            part in (".", "..") or "\\" in part or ":" in part or "\0" in part for part in parts
        ):
            return None
        found = self.site.joinpath(*parts)
        if path.endswith("/"):
            found /= "index.html"
        try:
            if self.pyodide and parts[:1] == ["pyodide"]:
                return parts[-1], self.pyodide.read("/".join(parts[1:]))
            real = found.resolve(strict=True)
            if not real.is_relative_to(self.site) or not real.is_file():
                return None
            return found.name, real.read_bytes()
        except (OSError, ValueError, RuntimeError):
            return None


class _Handler(BaseHTTPRequestHandler):
    server: BookServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a file, or 404."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answer without the file's bytes."""
        self._answer(with_content=False)

    def _answer(self, with_content: bool) -> None:
        found = self.server.find(urlsplit(self.path).path)
        name, content = found or ("", b"There is no such page.\n")
        kind = _TYPES.get(Path(name).suffix, "application/octet-stream" if name else "text/plain")
        self.send_response(200 if found else 404)
        for header, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-cache",  # a book that is built again is seen
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "Cross-Origin-Resource-Policy": "same-origin",
        }.items():
            self.send_header(header, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: who serves a class wants to see the address, not each file."""
