"""Checks a built book: its links and anchors, that nothing is loaded from elsewhere, its size.

python docs/maker/check.py site
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGEST = 60_000_000
"""Bytes that a book may have."""

_LOADED = {
    "audio",
    "embed",
    "iframe",
    "img",
    "input",
    "link",
    "object",
    "script",
    "source",
    "video",
}
_LINKS = {"href", "src", "data", "poster", "srcset"}
_IN_STYLES = re.compile(r"(?:url\(|@import\s+)[\s\"']*((?:https?:)?//[^\"')\s]+)")
_IN_SCRIPTS = re.compile(r"(?:fetch|import|importScripts)\(\s*[\"'`]((?:https?:)?//[^\"'`]+)")


class _Page(HTMLParser):
    """The links, anchors, and what a page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag refers to, and its name."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif name in _LINKS and value:
                self.links.append(value)
                if tag in _LOADED:
                    self.loaded.append(value)


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong with a built book, a line each."""
    pages = {
        path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
    }
    if not pages:
        yield f"{site} has no pages"
    yield from _broken(site.resolve(), pages)
    for path, page in pages.items():
        for address in filter(_is_outside, page.loaded):
            yield f"{path.relative_to(site.resolve())} loads {address}"
    yield from _outside(site, ("*.css", "*.html"), _IN_STYLES)
    yield from _outside(site, ("*.js", "*.html"), _IN_SCRIPTS)
    size = size_of(site)
    if size > LARGEST:
        yield f"it has {size:,} bytes, more than {LARGEST:,}"


def size_of(site: Path) -> int:
    """The bytes of all files of a folder."""
    return sum(path.stat().st_size for path in site.rglob("*") if path.is_file())


def _broken(site: Path, pages: dict[Path, _Page]) -> Iterator[str]:
    wrong = defaultdict(list)
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            file = file / "index.html" if file.is_dir() else file
            anchor = unquote(parts.fragment)
            missing = anchor not in pages[file].anchors if file in pages else not file.is_file()
            if missing or not file.is_relative_to(site):
                wrong[link].append(str(path.relative_to(site)))
    for link, places in wrong.items():
        yield f"{link} leads nowhere, from {', '.join(places[:3])} ({len(places)} pages)"


def _is_outside(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def _outside(site: Path, names: Iterable[str], pattern: re.Pattern[str]) -> Iterator[str]:
    for path in (path for name in names for path in site.rglob(name)):
        for address in pattern.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)} loads {address}"


def main() -> int:
    """Say what is wrong with the book in the folder that is named; return 1 if anything is."""
    site = Path(sys.argv[1])
    wrong = list(problems(site))
    print("\n".join(wrong))
    print(f"{len(list(site.rglob('*.html')))} pages, {size_of(site) / 1e6:.1f} MB")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
