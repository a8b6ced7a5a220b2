"""The floors of ARCHITECTURE.md: imports only go down; what files may say; what imports cost."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import minifcn

ROOT = Path(minifcn.__file__).parent

# From the bottom up. A module may import from the floors below its own, and from its own package.
FLOORS = [
    ["system"],
    ["backend", "machine"],
    ["cuda_on_cpu"],
    ["kernels.geometry"],
    ["kernels.checks"],
    ["kernels.reference", "kernels.cpu", "kernels.gpu"],
    ["kernels.choice"],
    ["kernels"],
    ["values"],
    ["tensor"],
    ["functional"],
    ["gradcheck"],
    ["nn"],
    ["optim"],
    ["data", "metrics"],
    ["weights"],
    ["models"],
    ["onnx_export"],
    ["plots"],
    ["runs"],
    ["explain"],
    ["experiments", "bench", "course"],
    ["commands"],
    ["__main__"],
]
HEAVY = ("matplotlib", "PIL", "cupy", "torch", "safetensors", "tqdm", "threadpoolctl", "onnx")


@cache
def modules():
    """Name below minifcn, '' for the package itself, and path, of every module."""
    return {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parse(name):
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def place_of(name):
    """The floor and the name there of a module: its own name, or else the package it is in."""
    for i, names in enumerate(FLOORS):
        if name in names:
            return i, name
    assert "." in name, f"{name} is on no floor: give it one in FLOORS, and in ARCHITECTURE.md"
    return place_of(name.rpartition(".")[0])


def may_import(name, imported):
    """Whether the floors allow it."""
    (floor, place), (other_floor, other_place) = place_of(name), place_of(imported)
    return other_floor < floor or (other_floor == floor and place == other_place)


def imports_of(name):
    """Which modules of minifcn a module imports anywhere, with the line."""
    for node in ast.walk(parse(name)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} has a relative import"
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for imported in found:
            if imported.split(".")[0] == "minifcn":
                yield resolve(imported.partition(".")[2]), node.lineno


def resolve(imported):
    """The module that an imported name is, or is in: nn.init, or nn for nn.Conv2d."""
    while imported and imported not in modules():
        imported = imported.rpartition(".")[0]
    return imported


def test_every_module_is_on_a_floor():
    assert len(modules()) > 30
    for name in modules():
        if name:
            place_of(name)


def test_every_floor_has_its_modules():
    missing = [name for names in FLOORS for name in names if name not in modules()]
    assert not missing


def test_resolving_names():
    assert resolve("nn.Conv2d") == "nn"
    assert resolve("nn.layers.Conv2d") == "nn.layers"
    assert resolve("__version__") == ""
    assert ("kernels.geometry", 6) not in list(imports_of("backend"))
    assert "tensor" in [name for name, _ in imports_of("nn.module")]


def test_the_rule():
    assert may_import("commands", "backend")
    assert may_import("nn.layers", "nn.init")
    assert may_import("gradcheck", "gradcheck.causes")
    assert not may_import("backend", "commands")
    assert not may_import("nn.layers", "optim")
    assert may_import("optim", "nn.module")
    assert not may_import("kernels.cpu", "kernels.reference")
    assert not may_import("kernels.geometry", "kernels")


def test_imports_only_go_down():
    up = [
        f"{modules()[name]}:{line}: {name} imports {imported}, which is not below it"
        for name in filter(None, modules())
        for imported, line in imports_of(name)
        if imported and not may_import(name, imported)
    ]
    assert not up, "\n".join(up)


def test_the_package_itself_is_imported_only_above_what_it_imports():
    top = max(place_of(imported) for imported, _ in imports_of(""))
    wrong = [
        f"{modules()[name]}:{line}: {name} imports minifcn, which imports {top[1]}"
        for name in filter(None, modules())
        for imported, line in imports_of(name)
        if imported == "" and place_of(name)[0] <= top[0]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_goes_round_in_a_circle():
    """On one floor too. A package and the modules it collects count as one another's parts."""
    graph = {name: {n for n, _ in imports_of(name)} - {"", name} for name in modules() if name}
    done = set()

    def visit(name, path):
        assert name not in path, " imports ".join([*path[path.index(name) :], name])
        if name not in done:
            for imported in sorted(graph[name]):
                visit(imported, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_a_circle_would_be_found(monkeypatch):
    circle = {"a": [("b", 1)], "b": [("c", 1)], "c": [("b", 1)]}
    monkeypatch.setitem(globals(), "modules", lambda: circle)
    monkeypatch.setitem(globals(), "imports_of", circle.get)
    with pytest.raises(AssertionError, match="b imports c imports b"):
        test_no_import_goes_round_in_a_circle()


# -- Files ---------------------------------------------------------------------------------------


def test_the_package_opens_on_few_files():
    assert len(list(ROOT.glob("*.py"))) <= 7


def test_files_are_short():
    lines = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert lines["tensor"] <= 400
    assert {name: count for name, count in lines.items() if count > 400} == {}


@pytest.mark.parametrize("name", modules(), ids=lambda name: name or "minifcn")
def test_the_first_line_says_what_a_file_is_for(name):
    first = modules()[name].read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r'"""\w.{10,}', first), f"{modules()[name]} starts with {first!r}"


def public(node, path):
    """Yield the name and node of every public function, class and method in a node."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield f"{path}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{path}.{child.name}")


def test_everything_public_says_what_it_does():
    found = [pair for name in modules() for pair in public(parse(name), name)]
    assert len(found) > 200
    silent = [name for name, node in found if not ast.get_docstring(node)]
    assert not silent


PLACES = re.compile(r"""(?<![\w.~})])/(home|root|tmp|work|Users|mnt)(/|\b["'])""")


def test_places_are_recognised():
    assert all(PLACES.search(text) for text in ('"/tmp/x"', "'/root'", " /home/me/data"))
    assert not any(PLACES.search(text) for text in ('"a/work/b"', "~/root/", "/temporary", "tmp/x"))


@pytest.mark.parametrize("folder", ["minifcn", "tests", "tutorials"])
def test_no_file_names_a_place_of_one_machine(folder):
    root = Path(__file__).parents[1] / folder
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in sorted(root.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PLACES.search(line) and path != Path(__file__)
    ]
    assert not found, "\n".join(found)


# -- What an import costs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["minifcn", "minifcn.commands", "minifcn.models", "minifcn.gradcheck"]
)
def test_importing_is_light(name):
    code = f"import sys, {name}; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_package_offers_what_it_names():
    for name in minifcn.__all__:
        assert getattr(minifcn, name) is not None
    assert re.fullmatch(r"\d+\.\d+\.\d+", minifcn.__version__)


def test_the_version_is_the_one_of_the_project():
    project = ROOT.parent / "pyproject.toml"
    if not project.exists():
        pytest.skip("not a checkout")
    import tomllib

    assert tomllib.loads(project.read_text())["project"]["version"] == minifcn.__version__
