"""The walks of docs/ARCHITECTURE.md: each function that a line names exists where it says."""

import ast
import re

import pytest
from pages import PAGES, ROOT

WALKS = {
    title: text.splitlines()
    for title, text in re.findall(
        r"^## (Follow .*?)\n(.*?)(?=^## |\Z)", PAGES["docs/ARCHITECTURE.md"], re.M | re.S
    )
}
STEP = re.compile(r"(\d+)\. `(minifcn/[\w/]+\.py)` `([\w.]+)`: \w.*[.]")
STEPS = [
    pytest.param(*match.groups()[1:], id=f"{title} {match[1]}")
    for title, lines in WALKS.items()
    for match in filter(None, map(STEP.fullmatch, lines))
]


def test_there_are_three_walks_of_ten_lines():
    assert list(WALKS) == ["Follow an image", "Follow a gradient", "Follow a command"]
    for lines in WALKS.values():
        numbered = [line for line in lines if re.match(r"\d", line)]
        assert [STEP.fullmatch(line)[1] for line in numbered] == [str(n) for n in range(1, 11)]


def defined_in(path):
    """The names of all functions and classes of a file; methods as Class.method."""
    names = set()

    def visit(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                names.add(prefix + child.name)
                if isinstance(child, ast.ClassDef):
                    visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(path.read_text(encoding="utf-8")), "")
    return names


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_each_named_function_is_defined_where_the_walk_says(file, name):
    assert name in defined_in(ROOT / file)


def test_other_files_that_walks_name_exist():
    for lines in WALKS.values():
        for place in re.findall(r"`(minifcn/[\w/.]+)`", "\n".join(lines)):
            assert (ROOT / place).exists(), place
