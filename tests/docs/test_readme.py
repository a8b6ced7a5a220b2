"""What the README shows works: its code runs, and its commands exist."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from minifcn import cli, experiments, machine
from minifcn.experiments.checkerboard import layers, pictures, tables
from minifcn.experiments.skips.training import Plan

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


def test_the_gradient_check_of_arrays_passes_and_fails_as_the_text_says():
    (code,) = [block for language, block in BLOCKS if language == "python" and "check_b" in block]
    for text in (code, code.replace(" * upstream", "")):
        names = {}
        exec(compile(text, "README.md", "exec"), names)
        if text == code:
            names["test_square"]()
        else:
            with pytest.raises(AssertionError, match="backward ignores its upstream gradient"):
                names["test_square"]()


@pytest.mark.cuda_on_cpu
def test_cuda_runs_on_the_cpu_as_shown():
    assert printed_by("RawModule") == ["[3 2 1 0]", "[-1 -1  1  0]"]


def test_links_to_files_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target


# -- Figures -------------------------------------------------------------------------------------


def figures(text):
    return [float(figure) for figure in re.findall(r"\d*\.\d+", text)]


@pytest.mark.parametrize("network", ["FCN-32s", "FCN-16s", "FCN-8s"])
def test_the_means_of_the_skips_are_those_of_their_rows(network):
    (row,) = re.findall(rf"^\| {network} \|(.*)$", README, re.MULTILINE)
    seeds, mean, *classes = row.strip(" |").split("|")
    assert figures(mean) == [pytest.approx(np.mean(figures(seeds)), abs=0.001)]
    assert np.mean(figures(" ".join(classes))) == pytest.approx(figures(mean)[0], abs=0.005)
    assert (len(figures(seeds)), len(classes)) == (3, 6)


def test_the_picture_of_the_skips_was_trained_as_long_as_its_caption_says():
    (command,) = re.findall(r"`(minifcn experiment skips [^`]+)`", README)
    choices = cli.build_parser().parse_args(command.split()[1:])
    scale = choices.budget / experiments.EXPERIMENTS["skips"].minutes
    iterations = 3 * experiments.Settings(Path(), scale=scale).iterations(Plan.third)
    (caption,) = re.findall(r"!\[([^]]*)\]\(docs/skips.png\)", README)
    assert f"after {iterations:,} iterations" in caption
    assert f"{3 * Plan.third} iterations, too few" in README


def test_the_measures_of_checkerboards():
    layer = {k: layers.Upsampling("transposed", k) for k in (3, 4)}
    table = {
        (kind, k): tables.output_row(layer[k], kind, range(10))["Q"]
        for kind in ("positive", "Gaussian") for k in (3, 4)
    }  # fmt: skip
    image = np.repeat(layers.disc(18), layers.CHANNELS, axis=1)
    disc, gaussian = (
        {k: np.mean(pictures.typical_output(image, [layer[k]], kind, range(10))[1]) for k in (3, 4)}
        for kind in ("positive", "Gaussian")
    )
    words = " ".join(README.split())
    own, other = f"{table['positive', 4]:.2f}"[1:], f"{disc[4]:.2f}"[1:]
    assert f"is {own} on random features and {other} on the disc below" in words
    own, other = f"{table['positive', 3]:.2f}"[1:], f"{disc[3]:.2f}"[1:]
    assert f"against {own} and {other} with k=3" in words
    assert table["Gaussian", 3] == pytest.approx(0.23, abs=0.006)
    assert table["Gaussian", 4] == pytest.approx(0.23, abs=0.006)
    own, other = f"{gaussian[4]:.2f}"[1:], f"{gaussian[3]:.2f}"[1:]
    assert f": .23 for both on random features, {own} against {other} on the disc." in words


def test_variables_of_the_environment_are_those_that_doctor_knows():
    named = set(re.findall(r"\b(?:OPENBLAS|OMP|MKL|BLIS|GOTO|NPY)_\w+", README))
    assert named
    assert named <= {*machine.OVERRIDES, *machine.THREAD_VARIABLES}
