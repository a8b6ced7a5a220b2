"""The bank of mistakes proves itself: references pass, every mutant is killed and named."""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from minifcn.course import exercises
from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check, judge
from minifcn.course.exercises.exercise import copied
from minifcn.course.exercises.messages import WORDS, message
from minifcn.course.exercises.mutants import outcome_of
from minifcn.course.exercises.naming import same
from minifcn.course.exercises.proof import outcomes_with
from minifcn.course.exercises.runner import Returned

FOLDER = Path(exercises.__file__).parent
WRITTEN = [name for name in exercises.NAMES if (FOLDER / "bank" / f"{name}.py").exists()]
FUNCTIONS = [
    pytest.param(find_exercise(name), function, id=f"{name}.{function.name}")
    for name in WRITTEN
    for function in find_exercise(name).functions
]
MUTANTS = [
    pytest.param(find_exercise(name), function, switch, id=f"{function.name}-{switch.id}")
    for name in WRITTEN
    for function in find_exercise(name).functions
    for switch in function.switches
]

TWINS = [
    # Columns that are read as (..., OH, OW, KH, KW) lie where a stride between taps puts them.
    {"im2col.order/windows_first", "im2col.stride_pos/taps"},
]
"""Ids, with readings, of mistakes that give the same numbers in all cases: either name is right."""


def cases_of(function, seed=0):
    generator = np.random.default_rng(seed)
    return [*function.cases(generator), *function.naming(generator)]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_stub_is_not_written_and_says_so(name):
    report = check(find_exercise(name), (FOLDER / "stubs" / f"{name}.py").read_text())
    assert {part.status for part in report.parts} == {"not-written"}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_answer_passes(name):
    report = check(find_exercise(name), (FOLDER / "answers" / f"{name}.py").read_text())
    assert [
        (part.part.id, part.status, part.problem) for part in report.parts if part.problem
    ] == []


@pytest.mark.parametrize(("exercise", "function"), FUNCTIONS)
def test_the_reference_passes(exercise, function):
    outcomes = [
        Returned(one if len(function.parts) > 1 else one[0])
        for one in (outcome_of(function, [], case) for case in cases_of(function))
    ]
    assert [part.problem for part in judge(exercise, function, outcomes)] == [""] * len(
        function.parts
    )


@pytest.mark.parametrize(("exercise", "function"), FUNCTIONS)
def test_ids_and_case_names_differ_and_arguments_come_back(exercise, function):
    ids = [switch.id for switch in function.switches]
    assert len(ids) == len(set(ids))
    names = [case.name for case in cases_of(function)]
    assert len(names) == len(set(names))
    asked = set()
    parameters = list(inspect.signature(function.reference).parameters)[1:]
    for case in cases_of(function):
        assert set(case.arguments) == set(parameters)
        with np.errstate(all="ignore"):
            function.reference(asked.add, **copied(case.arguments))  # None: all are off
    assert set(ids) <= asked, "a switch that nothing asks for"


@pytest.mark.parametrize(("exercise", "function", "switch"), MUTANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_mutant_is_killed_and_named_as_itself(exercise, function, switch, seed):
    outcomes = outcomes_with(function, switch, seed)
    wrong = [part for part in judge(exercise, function, outcomes, seed) if part.status != "pass"]
    assert wrong, "it survives"
    for part in wrong:
        assert len(message(part).split()) <= WORDS
        named = {one.id for one in part.name.switches}
        assert switch.id in named, (part.part.id, part.problem, part.name)
        assert all({switch.id, other} in TWINS for other in named - {switch.id}), named


@pytest.mark.parametrize(("exercise", "function"), FUNCTIONS)
def test_a_right_solution_in_a_strange_style_is_never_refused_for_its_rounding(exercise, function):
    outcomes = [outcome_of(function, [], case) for case in cases_of(function)]
    nudged = [
        tuple(
            part * (1 + 1e-14) if isinstance(part, np.ndarray) and part.dtype.kind == "f" else part
            for part in one
        )
        for one in outcomes
    ]
    assert all(same(a, b) for a, b in zip(outcomes, nudged, strict=True))


def test_no_answer_or_stub_imports_more_than_numpy_and_the_standard_library():
    for path in (*FOLDER.glob("stubs/*.py"), *FOLDER.glob("answers/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= {"numpy", "math"}
            assert not isinstance(node, ast.ImportFrom) or node.module in ("math",)


def row_of(exercise):
    """The row of an exercise in the table of the page."""
    count = sum(len(function.switches) for function in exercise.functions)
    functions = ", ".join(f"`{function.name}`" for function in exercise.functions)
    return f"| `{exercise.name}` | {exercise.tutorial:02} | {count} | {functions} |"


def test_the_page_lists_the_exercises_and_counts_the_mistakes_that_are_known():
    page = (FOLDER.parents[2] / "docs" / "EXERCISES.md").read_text(encoding="utf-8")
    known = [find_exercise(name) for name in WRITTEN]
    assert re.findall(r"^\| `\w+` .*$", page, re.M) == [row_of(exercise) for exercise in known]
    assert f"{len(MUTANTS)} in all" in page
