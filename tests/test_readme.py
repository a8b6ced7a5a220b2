"""What the README shows works: its code runs, and its commands exist."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from minifcn import cli

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted(
    {
        command.strip()
        for language, block in BLOCKS
        if language == "bash"
        for line in block.splitlines()
        for command in re.findall(r"(minifcn [^&;#]+)", line)
    }
)


def test_the_two_commands_stand_in_the_readme_on_lines_of_their_own():
    lines = README.splitlines()
    assert "pip install -e . && minifcn train" in lines
    assert "pip install -e '.[test]' && pytest" in lines


def test_commands_were_found():
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command):
    arguments = shlex.split(command.replace("$model", "fcn8s").replace("$seed", "0"))[1:]
    assert cli.build_parser().parse_args(arguments).command in cli.COMMANDS


def printed_by(word):
    """The lines that a block of Python prints, found by a word in it."""
    (code,) = [block for language, block in BLOCKS if language == "python" and word in block]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "README.md", "exec"), {})
    return output.getvalue().splitlines()


def test_the_python_code_runs_and_prints_what_its_comment_says():
    loss, *report = printed_by("gradcheck(")
    assert loss.startswith("1.609")
    assert len(report) == 2
    assert all(line.startswith("ok") for line in report)


@pytest.mark.cuda_on_cpu
def test_cuda_runs_on_the_cpu_as_shown():
    assert printed_by("RawModule") == ["[3 2 1 0]", "[-1 -1  1  0]"]


def test_links_to_files_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
