"""Links of Markdown pages, led to where the book has what they mean.

The pages of the repository link to files: ../tutorials/README.md, ../minifcn/metrics/phases.py.
In the book a page is a page, a picture a picture. Another file is a link into the repository if its
address is known, else a copy to download; a folder is named only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from maker.contents import ROOT, page_of

_FENCE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^)\s]+)\)")
_PICTURE = re.compile(r'(!\[[^\]]*\]\(|<img src=")([^)"\s]+)')
_ELSEWHERE = ("http:", "https:", "mailto:", "#")


def lead(text: str, page: Path, made: Path, repository: str = "") -> str:
    """Return the text of a page with its links led to the book's pages.

    Args:
        text: Markdown.
        page: where it lies in the repository.
        made: the file that Sphinx reads for it.
        repository: the address of the repository's files, "https://.../blob/main"; "" if unknown.

    Raises:
        ValueError: a link leads nowhere.
    """

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        if target.startswith(_ELSEWHERE):
            return match[0]
        return _link(words, target, page, made, repository)

    def picture(match: re.Match[str]) -> str:
        if match[2].startswith(_ELSEWHERE):
            return match[0]
        return match[1] + _from(made, _file(page, match[2]))

    parts = _FENCE.split(text)
    parts[::2] = [_LINK.sub(link, _PICTURE.sub(picture, part)) for part in parts[::2]]
    return "".join(parts)


def _link(words: str, target: str, page: Path, made: Path, repository: str) -> str:
    name, _, heading = target.partition("#")
    file = _file(page, name)
    path = file.relative_to(ROOT).as_posix()
    if there := page_of(file):
        return f"[{words}]({_from(made, there)}{'#' + heading if heading else ''})"
    if repository:
        return f"[{words}]({repository.rstrip('/')}/{path})"
    if file.is_dir():
        return f"{words} (`{path}`)"
    return f"[{words}]({_from(made, file)})"


def _file(page: Path, target: str) -> Path:
    file = (page.parent / target).resolve()
    if not file.exists():
        raise ValueError(f"{page.relative_to(ROOT)}: the link {target} leads nowhere")
    return file


def _from(made: Path, file: Path) -> str:
    return Path(os.path.relpath(file, made.parent)).as_posix()
