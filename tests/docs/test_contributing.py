"""CONTRIBUTING.md names commits, files and tables that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pages import PAGES, ROOT

TEXT = PAGES["CONTRIBUTING.md"]
HASHES = sorted(set(re.findall(r"`([0-9a-f]{7,40})`", TEXT)))
ITEMS = re.findall(r"^\d+\. (.*?)(?=^\d+\. |^$)", TEXT, re.MULTILINE | re.DOTALL)
PLACEHOLDERS = {"NAME", "TOPIC", "NN", "HASH", "ADDRESS"}


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)


def has_history():
    """Whether this is a checkout with all commits before it, not an archive or a shallow clone."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return False
    return git("rev-parse", "--is-shallow-repository").stdout.strip() == "false"


def test_each_list_has_an_example():
    lists = re.findall(r"^## (Add an? .*?)\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    assert len(lists) == 6
    for title, text in lists:
        assert re.search(r"Example: `[0-9a-f]{7}`", text), title


@pytest.mark.parametrize("hash", HASHES)
def test_each_commit_exists(hash):
    if not has_history():
        pytest.skip("no history of git here")
    assert git("merge-base", "--is-ancestor", hash, "HEAD").returncode == 0


def files_of(item):
    """The files that an item of a list names, where they do not stand for any."""
    places = re.findall(r"`([\w./]+\.(?:cff|cu|md|png|py))`", item)
    known = [place for place in places if not re.search("|".join(PLACEHOLDERS), place)]
    return [ROOT / "minifcn" / p if (ROOT / "minifcn" / p).exists() else ROOT / p for p in known]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.split("`")[1])
def test_files_to_touch_exist_and_have_the_tables_that_are_named(item):
    files = files_of(item)
    assert not [path for path in files if not path.exists()]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    tables = set(re.findall(r"`([A-Z_]{4,})`", item)) - PLACEHOLDERS
    assert not {table for table in tables if not re.search(rf"^{table}\b", text, re.MULTILINE)}


def test_items_were_found():
    assert len(ITEMS) >= 30
    assert sum(len(files_of(item)) for item in ITEMS) >= 30
    assert Path(ROOT / "CONTRIBUTING.md").is_file()
