"""A student's folder, what is said of it, and the command."""

import itertools
import json
from functools import partial

import numpy as np
import pytest

from minifcn.course import check
from minifcn.course.exercises import NAMES, find_exercise
from minifcn.course.exercises import checker as checking
from minifcn.course.exercises.folder import STATE
from minifcn.course.exercises.messages import WORDS, message, messages, record, told_apart
from minifcn.course.exercises.picture import plot_wrong

RIGHT = """
import numpy as np

def conv2d(x, weight, bias, stride, padding):
    (ph, pw), (sh, sw) = padding, stride
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    windows = windows[:, :, ::sh, ::sw]
    return np.einsum("nchwij,fcij->nfhw", windows, weight) + bias[:, None, None]
"""
FLIPPED = RIGHT.replace(", weight) +", ", weight[:, :, ::-1, ::-1]) +")


@pytest.fixture
def course(tmp_path):
    """A folder in which convolution is flipped."""
    folder = tmp_path / "my-course"
    folder.mkdir()
    (folder / "convolution.py").write_text(FLIPPED)
    return folder


def test_start_writes_all_stubs_and_keeps_what_is_there(cli, course):
    result = cli("course", "start", course)
    assert result.code == 0
    assert sorted(path.stem for path in course.glob("*.py")) == sorted(NAMES)
    assert (course / "convolution.py").read_text() == FLIPPED
    listed = [line.split() for line in result.out.splitlines()[1:]]
    assert listed[0] == ["scores.py", "tutorial", "01"]
    assert [name for name, *_ in listed] == [f"{n}.py" for n in NAMES if n != "convolution"]
    assert f"kept as it is: {course / 'convolution.py'}" in result.err
    assert cli("course", "start", course).out == f"all 16 exercises are in {course} already\n"


def test_start_in_a_file_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "got the file" in refused("course", "start", tmp_path / "file")


def test_a_mistake_is_named_with_a_question_and_never_with_the_answer(cli, course):
    result = cli("course", "check", course)
    assert result.code == 1
    assert "conv.flip" in result.out.splitlines()[0]
    assert "The mistake: the kernel is flipped" in result.out
    assert "Which weight lies on the top left pixel" in result.out
    assert "[:, :, ::-1, ::-1]" not in result.out


def test_what_is_right_passes_and_its_answer_is_shown(cli, refused, course):
    assert "has not passed yet" in refused("course", "answer", "convolution", "--folder", course)
    (course / "convolution.py").write_text(RIGHT)
    assert cli("course", "check", course, "convolution") == (
        0,
        "convolution   1 of  1  passed\n",
        "",
    )
    shown = cli("course", "answer", "convolution", "--folder", course)
    assert "def conv2d" in shown.out
    assert json.loads((course / STATE).read_text())["given_up"] == []


def test_giving_up_is_recorded(cli, course):
    assert (
        "def conv2d" in cli("course", "answer", "convolution", "--folder", course, "--give-up").out
    )
    assert json.loads((course / STATE).read_text())["given_up"] == ["convolution"]


def test_hints_go_one_further_each_time_and_stay_at_the_last(cli, course):
    said = [cli("course", "hint", "convolution", "--folder", course).out for _ in range(4)]
    assert [line[:6] for line in said] == ["1 of 3", "2 of 3", "3 of 3", "3 of 3"]
    hints = find_exercise("convolution").hints
    assert [line[8:].rstrip("\n") for line in said] == [*hints, hints[-1]]


def test_records_have_what_a_school_needs(cli, course):
    result = cli("course", "check", course, "--json")
    line = json.loads(result.out)
    assert line["schema"] == "minifcn/check/v1"
    assert (line["exercise"], line["status"], line["points"], line["max_points"]) == (
        "convolution", "fail", 0.0, 10,
    )  # fmt: skip
    (part,) = line["parts"]
    assert (part["id"], part["status"], part["match"]) == ("conv2d.y", "fail", "exact")
    assert part["mistakes"] == ["conv.flip"]
    assert part["hint_level"] == 0
    cli("course", "hint", "convolution", "--folder", course)
    (part,) = json.loads(cli("course", "check", course, "--json").out)["parts"]
    assert part["hint_level"] == 1
    assert part["expected"] != part["got"]


def test_a_picture_shows_what_is_wrong(cli, course, tmp_path):
    result = cli("course", "check", course, "--plot", tmp_path / "wrong.png")
    assert (tmp_path / "wrong.png").stat().st_size > 1000
    assert "wrong.png" in result.err
    (course / "convolution.py").write_text(RIGHT)
    assert "nothing to draw" in cli("course", "check", course, "--plot", tmp_path / "no.png").err
    assert not (tmp_path / "no.png").exists()


@pytest.mark.parametrize(
    ("result", "title", "numbers"),
    [
        (np.full((2, 3), -0.0123456), "conv2d: output", 6),
        (np.full((4, 2, 20, 9), -0.0123456), "conv2d: output [0, 1], from (8, 2) on", 48),
        (np.float64(0), "conv2d: output", 1),
    ],
)
def test_the_picture_shows_as_many_numbers_as_can_be_read(drawn, tmp_path, result, title, numbers):
    (function,) = find_exercise("convolution").functions
    right = result.copy()
    where = (0, 1, 12, 5)[: right.ndim] if right.ndim == 4 else (0,) * right.ndim
    right = np.asarray(right)
    right[where] = 1
    part = checking.PartReport(function, function.parts[0], "fail", where=where, expected=1.0,
                               result=result, right=right)  # fmt: skip
    plot_wrong(tmp_path / "wrong.png", part)
    (figure,) = drawn
    assert figure.get_suptitle() == title
    yours, expected, difference = figure.axes
    assert len(yours.texts) == numbers
    boxes = [text.get_window_extent() for text in difference.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_a_picture_that_cannot_be_is_refused_before_anything_is_checked(refused, course):
    assert "path must end in .png or .svg" in refused("course", "check", course, "--plot", "x.txt")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "nowhere"), "nowhere is no folder"),
        (("check", "."), "has no exercises"),
        (("check", "my-course", "waves"), "exercise must be one of"),
        (("check", "my-course", "--seed", "-1"), "seed must be at least 0; got -1"),
        (("check", "my-course", "convolution", "loss"), "is not there: minifcn course start"),
        (("hint", "loss"), "give --folder DIR"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(refused, course, monkeypatch, arguments, said):
    monkeypatch.chdir(course.parent)
    assert said in refused("course", *arguments)


def test_a_state_that_is_no_state_is_refused(refused, course):
    (course / STATE).write_text("[1]")
    assert "not what minifcn wrote" in refused("course", "hint", "convolution", "--folder", course)


def test_a_state_that_is_no_state_does_not_stop_a_check(cli, course):
    (course / "convolution.py").write_text(RIGHT)
    (course / STATE).write_text("[")
    result = cli("course", "check", course)
    assert (result.code, result.out) == (0, "convolution   1 of  1  passed\n")
    assert "not remembered that convolution has passed" in result.err


def test_an_exercise_that_is_named_twice_is_checked_once(cli, course):
    result = cli("course", "check", course, "convolution", "convolution.py", "--json")
    assert len(result.out.splitlines()) == 1


UNREADABLE = {
    "UTF-16": ("\ufeff" + FLIPPED).encode("utf-16-le"),
    "UTF-8: see line 2": "import numpy as np\n# Größe\n".encode("cp1252"),
    "save it as UTF-8": b"# coding: no-such-encoding\n",
}


@pytest.mark.parametrize("said", UNREADABLE)
def test_a_file_that_is_no_text_fails_and_the_others_are_checked(cli, course, said):
    (course / "columns.py").write_bytes(UNREADABLE[said])
    result = cli("course", "check", course)
    assert result.code == 1
    columns, convolution = result.out.splitlines()[:2]
    assert columns.split() == ["columns", "0", "of", "2", "error"]
    assert "conv.flip" in convolution
    assert said in result.out
    line, _ = cli("course", "check", course, "--json").out.splitlines()
    assert {part["status"] for part in json.loads(line)["parts"]} == {"error"}


@pytest.mark.parametrize(
    "content",
    [
        ("# Größe\n" + RIGHT).encode("utf-8-sig"),
        ("# coding: cp1252\n# Größe\n" + RIGHT).encode("cp1252"),
        RIGHT.replace("\n", "\r\n").encode(),
        RIGHT.replace("    ", "\t").encode(),
    ],
    ids=["with a mark", "an encoding that is named", "lines of Windows", "tabs"],
)
def test_a_right_file_passes_however_it_was_saved(cli, course, content):
    (course / "convolution.py").write_bytes(content)
    assert cli("course", "check", course).code == 0


def test_exercises_may_be_called_by_their_files(cli, refused, course):
    assert "conv.flip" in cli("course", "check", course, "convolution.py").out
    assert cli("course", "hint", "convolution.py", "--folder", course).code == 0
    said = refused("course", "check", course / "convolution.py")
    assert f"minifcn course check {course} convolution" in said


EMPTY = "def conv2d(x, weight, bias, stride, padding):\n    "
SOURCES = {
    "is not written yet": EMPTY + "raise NotImplementedError",
    "has dtype float32, expected float64": RIGHT.replace("bias[:", "0 * bias[:").replace(
        "return np", "return np.float32(1) * np"
    ).replace("return ", "return (").rstrip() + ").astype('f4')",
    "raised ZeroDivisionError in line 2": EMPTY + "1 / 0",
    "is None (is a return missing?), expected a float64 array": EMPTY + "pass",
    "What can be said: all numbers are right, but the shape is not. It is no mistake that I know.":
        RIGHT.rstrip() + "\n\nold = conv2d\n"
    "def conv2d(**all):\n    return old(**all).transpose(0, 2, 3, 1)[:, None]",
    "has shape (2, 4, 4, 4, 1)": RIGHT.rstrip() + "\n\nold = conv2d\n"
    "def conv2d(**all):\n    return old(**all)[..., None]",
    "raised SyntaxError in line 1": "def",
    "the arguments must come back unchanged": "def conv2d(x, **all):\n    x[:] = 0\n    return x",
    "no mistake that I know": RIGHT.replace("bias[:", "(1 + bias * bias)[:"),
}  # fmt: skip


WHOLE = {
    "an array of whole numbers takes no fractions": "y = np.zeros_like(x); y += 0.5",
    "an array of whole numbers holds no infinity": "np.pad(x, 1, constant_values=-np.inf)",
}


@pytest.mark.parametrize("said", WHOLE)
def test_an_exception_that_says_too_little_is_explained(said):
    source = f"import numpy as np\ndef conv2d(x, **all):\n    x = x.astype(int); {WHOLE[said]}"
    (part,) = checking.check(find_exercise("convolution"), source).parts
    assert part.problem.startswith("raised ")
    assert part.problem.endswith(f" ({said})")


@pytest.mark.parametrize("said", SOURCES)
def test_what_is_said_of_other_faults(said):
    (part,) = checking.check(find_exercise("convolution"), SOURCES[said]).parts
    assert said in " ".join(message(part).split())
    assert len(message(part).split()) <= WORDS
    assert json.dumps(record(checking.check(find_exercise("convolution"), SOURCES[said])))


def test_a_file_that_cannot_be_read_is_no_matter_of_a_case():
    (part,) = checking.check(find_exercise("convolution"), "def").parts
    assert message(part).count("\n") == 0


LOOP = "def max_unpool2d(**all):\n    while True: pass"
PAIR = """
def conv_output_size(size, kernel_size, stride, padding, dilation):
    return (size + 2 * padding - kernel_size) // stride + 1

def conv_transpose_output_size(size, kernel_size, stride, padding, output_padding, dilation):
    return size
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def", ["sizes.py raised SyntaxError in line 1: invalid syntax."]),
        ("import torch", ["sizes.py raised ImportError in line 1: an exercise is solved with"
                          " NumPy alone; it imports torch."]),
        ("", ["conv_output_size, size is not written yet: there is no function conv_output_size.",
              "conv_transpose_output_size, size is not written yet: there is no function"
              " conv_transpose_output_size."]),
        (PAIR.split("def conv_transpose")[0].replace("return", "raise NotImplementedError #")
         + "def conv_transpose_output_size(**all): 1 / 0",
         ["conv_transpose_output_size, size raised ZeroDivisionError in line 5: division by"
          " zero."]),
    ],
    ids=["a syntax error", "an import", "nothing", "one as in the stub"],
)  # fmt: skip
def test_what_is_the_same_for_all_of_a_file_is_said_once(source, said):
    found = messages(checking.check(find_exercise("sizes"), source))
    assert [" ".join(text.partition("\nSeen with")[0].split()) for text in found] == said


def test_what_is_the_same_for_all_results_of_a_function_is_said_once():
    exercise = find_exercise("pooling")
    source = "def max_pool2d(**all): pass\ndef max_pool2d_backward(**all): raise ValueError('no')"
    one, other = messages(checking.check(exercise, source))
    assert one.startswith("max_pool2d returned None (is a return missing?), expected 2 results.\n")
    assert other.startswith("max_pool2d_backward, gradient of x raised ValueError in line 2: no.\n")


def test_a_call_without_an_end_is_asked_about():
    report = checking.check(find_exercise("unpooling"), LOOP, seconds=2)
    assert messages(report)[0].splitlines()[0].endswith("is there a loop without an end?")


def test_a_single_number_is_not_the_first_of_several():
    one, _ = messages(checking.check(find_exercise("sizes"), PAIR))
    assert "\nExpected 13, got 15.\n" in one


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "for: case 0. A"),
        (4, "for: case 0; case 1; case 2; case 3. A"),
        (5, "for: case 0; case 1; case 2; case 3; and 1 other case. A"),
        (9, "for: case 0; case 1; case 2; case 3; and 5 other cases. A"),
    ],
)
def test_of_many_right_cases_a_few_are_listed(count, said):
    (function,) = find_exercise("convolution").functions
    right = tuple(f"case {i}" for i in range(count))
    part = checking.PartReport(function, function.parts[0], "fail", "is wrong", right_cases=right)
    assert f"It is right {said} test of these" in " ".join(message(part).split())


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((1.5, 2.5), ("1.5", "2.5")),
        ((1.73167476, 1.73166675), ("1.73167476", "1.73166675")),
        ((1.0, 1.0 + 2e-12), ("1", "1.000000000002")),
        ((0.0, float("nan")), ("0", "nan")),
    ],
)
def test_numbers_have_as_many_digits_as_it_takes_to_tell_them_apart(numbers, said):
    assert told_apart(*numbers) == said


def test_a_notebook_checks_functions(capsys):
    def conv2d(x, weight, bias, stride, padding):
        raise NotImplementedError

    check(conv2d)
    assert capsys.readouterr().out == "conv2d, output is not written yet.\n"
    with pytest.raises(ValueError, match="functions must be of an exercise"):
        check(np.pad)
    with pytest.raises(ValueError, match="cannot be found; define it with def"):
        check(partial(conv2d, padding=(0, 0)))


def test_a_notebook_hears_of_lines_by_their_function(capsys):
    def conv_output_size(size, kernel_size, stride, padding, dilation):
        reach = reach_of(kernel_size, dilation)
        return (size + 2 * padding - reach) // stride + 1

    def reach_of(kernel_size, dilation):
        # A comment, so that the mistake stands in the third line.
        return {}[kernel_size]

    check(conv_output_size)
    assert "raised NameError in line 2 of conv_output_size: " in capsys.readouterr().out
    for functions in ((conv_output_size, reach_of), (reach_of, conv_output_size)):
        check(*functions)
        assert "raised KeyError in line 3 of reach_of: " in capsys.readouterr().out


def test_a_notebook_leaves_a_line_of_another_text_as_it_is(capsys):
    def conv_output_size(size, kernel_size, stride, padding, dilation):
        raise SyntaxError("of a text of its own", ("text", 1000, 1, "text"))

    check(conv_output_size)
    assert "raised SyntaxError in line 1000: " in capsys.readouterr().out
