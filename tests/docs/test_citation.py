"""CITATION.cff can be read, and has what the Citation File Format 1.2.0 asks for."""

import pytest
from pages import ROOT

import minifcn

TYPES = {"article", "book", "conference-paper", "generic", "report", "software", "thesis"}


@pytest.fixture(scope="module")
def citation():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def is_author(entry):
    return "name" in entry or {"family-names", "given-names"} <= entry.keys()


def test_it_names_the_program(citation):
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["version"] == minifcn.__version__
    assert citation["license"] == "MIT"
    assert all(map(is_author, citation["authors"]))


def test_it_names_the_papers(citation):
    for paper in citation["references"]:
        assert paper["type"] in TYPES
        assert paper["title"]
        assert isinstance(paper["year"], int)
        assert paper["authors"]
        assert all(map(is_author, paper["authors"]))
    names = {author["family-names"] for p in citation["references"] for author in p["authors"]}
    assert {"Long", "Badrinarayanan", "Dumoulin", "Odena"} <= names


def test_every_line_is_of_the_form_that_is_needed():
    """Without a reader of YAML: `key: value`, or an entry of a list."""
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "cff-version: 1.2.0"
    assert {"message:", "title:", "authors:", "references:"} <= {
        line.split(" ")[0] for line in lines
    }
    assert all(":" in line or line.startswith("  - ") for line in lines)
