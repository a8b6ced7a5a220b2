"""Runs the page's scripts in node, outside any browser."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import minifcn.explain

PAGE = Path(minifcn.explain.__file__).parent / "page"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def answers(script, cases):
    """Give a script of this folder one case a line; return its answers, one for each."""
    lines = "\n".join(map(json.dumps, cases))
    path = Path(__file__).parent / script
    ended = subprocess.run(
        ["node", str(path), str(PAGE)], input=lines, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(found) == len(cases)
    return found
