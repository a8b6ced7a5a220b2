"""The pages of the repository: their blocks of code, the commands in them, links and headings."""

import contextlib
import io
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from minifcn import commands

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)).replace("\\", "/"): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tutorials/*.md")])
}
"""The text of each page, by its path."""

README = PAGES["README.md"]


class Block(NamedTuple):
    """A piece of code on a page: which page, which language, '' if none is said, and the code."""

    page: str
    language: str
    code: str


def parts_of(page):
    """The blocks of code of a page, and its text without them."""
    blocks, text, language, lines = [], [], None, []
    for line in PAGES[page].splitlines():
        if fence := re.match(r" *```(\w*)", line):
            if language is None:
                language, lines = fence[1], []
            else:
                blocks.append(Block(page, language, "\n".join(lines) + "\n"))
                language = None
        else:
            (text if language is None else lines).append(line)
    assert language is None, f"{page}: a block does not end"
    return blocks, "\n".join(text)


BLOCKS = [block for page in PAGES for block in parts_of(page)[0]]


def block_with(page, word):
    """The one block of Python of a page that has a word in it."""
    (code,) = [b.code for b in BLOCKS if b[:2] == (page, "python") and word in b.code]
    return code


def commands_of(block):
    """The commands of a block for a shell, one by one, without comments and loops."""
    for line in block.code.splitlines():
        for part in re.split(r"&&|;", re.split(r"(?:^|\s)#", line)[0]):
            command = re.sub(r"^do\b", "", part.strip()).strip()
            if command and not re.match(r"for\b|done\b", command):
                yield command


SHELL = [b for b in BLOCKS if b.language in ("bash", "powershell")]
SHOWN = sorted({command for block in SHELL for command in commands_of(block)})
"""Every command that a page shows in a block."""

INLINE = sorted(
    {
        re.sub(r"\s+", " ", command)
        for page in PAGES
        for command in re.findall(r"`(minifcn\s[a-z][^`]*)`", parts_of(page)[1])
    }
)
"""Every command of minifcn that a page names in its text."""


def options_of(command):
    """What the command line makes of a command; it raises SystemExit where it takes none such."""
    words = shlex.split(command.replace("$model", "fcn8s").replace("$seed", "0"))
    return commands.build_parser().parse_args(words[1:])


def understood(command):
    """Whether the command line takes a command."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            return options_of(command).command in commands.COMMANDS
        except SystemExit as stop:  # it has printed an error, or help
            return stop.code == 0


def links_of(page):
    """Where the links and pictures of a page lead, as they are written."""
    text = re.sub(r"`[^`]*`", "", parts_of(page)[1])
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img src="([^"]+)"', text)
    return [target for target in found if not target.startswith(("http:", "https:", "mailto:"))]


def target_of(page, link):
    """The file that a link leads to, and the heading there, '' if none."""
    file, _, heading = link.partition("#")
    return ((ROOT / page).parent / file).resolve() if file else ROOT / page, heading


def headings_of(path):
    """The headings of a page as GitHub writes them into addresses."""
    _, text = parts_of(str(path.relative_to(ROOT)).replace("\\", "/"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
