import re

import numpy as np
import pytest

from minifcn import kernels
from minifcn.experiments import arithmetic
from minifcn.experiments.arithmetic import cases, identities, tables
from minifcn.experiments.arithmetic.cases import FIGURES, Case, checks_of
from minifcn.experiments.arithmetic.tables import FORMULAS
from minifcn.experiments.experiment import Settings
from minifcn.kernels.geometry import RELATIONSHIPS

FIGURES_OF_THE_GUIDE = {
    # (i, o, p, k, s, d): what shows it
    (4, 2, 0, 3, 1, 1): (1, 8),
    (5, 6, 2, 4, 1, 1): (2, 9),
    (5, 5, 1, 3, 1, 1): (3, 10),
    (5, 7, 2, 3, 1, 1): (4, 11),
    (5, 2, 0, 3, 2, 1): (5, 12),
    (5, 3, 1, 3, 2, 1): (6, 13),
    (6, 3, 1, 3, 2, 1): (6, 14),
    (7, 3, 0, 3, 1, 2): (15,),
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return arithmetic.run(Settings(tmp_path_factory.mktemp("arithmetic"), (0,)))


def windows(case):
    """Count where a window fits on the padded input, by sliding it."""
    return sum(
        start + case.d * (case.k - 1) < case.i + 2 * case.p
        for start in range(0, case.i + 2 * case.p, case.s)
    )


def evaluate(formula, **values):
    """Compute a formula as it is printed."""
    python = re.sub(r"floor\((.*) / s\)", r"((\1) // s)", formula.replace("i'", "i"))
    python = re.sub(r"([0-9s)])([(p])", r"\1*\2", python)
    return eval(python, {}, values)


def test_formulas_are_read_as_printed():
    assert evaluate("floor((i - k) / s) + 1", i=6, k=3, s=2) == 2
    assert evaluate("s(i' - 1) + k - 2p", i=3, k=3, s=2, p=1) == 5


@pytest.mark.parametrize("relationship", RELATIONSHIPS, ids=lambda r: str(r.number))
def test_the_printed_formulas_are_those_that_are_checked(relationship):
    found = list(checks_of(relationship, cases.random_cases(1)))
    assert len(found) >= 5
    for case, size, _ in found:
        names = {**case._asdict(), "a": case.a}
        if relationship.transposed:
            names["i"] = case.o
        assert evaluate(FORMULAS[relationship.number - 1], **names) == size


def test_the_figures_are_the_guides():
    found = {(f.case.i, f.case.o, f.case.p, f.case.k, f.case.s, f.case.d): f.shows for f in FIGURES}
    assert found.pop((6, 3, 0, 2, 2, 1)) == (7, 12)
    assert found == FIGURES_OF_THE_GUIDE


def test_every_relationship_is_shown():
    assert {number for figure in FIGURES for number in figure.shows} == set(range(1, 16))


def test_random_cases_fit_vary_and_come_from_the_seed():
    drawn = cases.random_cases(3)
    assert drawn == cases.random_cases(3)
    assert drawn != cases.random_cases(4)
    assert len(drawn) == cases.RANDOM_SIZES
    assert all(windows(case) == case.o >= 1 for case in drawn)
    assert len(set(drawn)) > 200
    assert {case.s for case in drawn} == {case.d for case in drawn} == {1, 2, 3, 4}
    assert max(case.a for case in drawn) == 3


@pytest.mark.parametrize("number", range(1, 16))
def test_a_wrong_formula_is_found(number):
    right = RELATIONSHIPS[number - 1]
    wrong = right._replace(output_size=lambda *sizes: right.output_size(*sizes) + 1)
    case = next(figure.case for figure in FIGURES if number in figure.shows)
    ((_, formula, given),) = checks_of(right, [case])
    assert formula == given == (case.i if right.transposed else windows(case))
    ((_, formula, given),) = checks_of(wrong, [case])
    assert formula == given + 1
    found = [(case, formula, given), (Case(99, 1), 99, 99)]
    assert not tables._relationship_row(wrong, "", found)["all equal"]


# -- The two identities --------------------------------------------------------------------------


def stamp(y, weight, case):
    """A transposed convolution by its definition, in loops."""
    x = np.zeros((len(y), weight.shape[1], case.i, case.i))
    for h, w, i, j in np.ndindex(case.o, case.o, case.k, case.k):
        row, column = h * case.s - case.p + i * case.d, w * case.s - case.p + j * case.d
        if 0 <= row < case.i and 0 <= column < case.i:
            x[:, :, row, column] += y[:, :, h, w] @ weight[:, :, i, j]
    return x


@pytest.mark.parametrize("case", [f.case for f in FIGURES] + [Case(6, 2, 3, 2), Case(9, 3, 4, 3)])
def test_a_convolution_of_the_stuffed_input_is_a_transposed_one(case):
    generator = np.random.default_rng(0)
    y = generator.standard_normal((2, 4, case.o, case.o))
    weight = generator.standard_normal((4, 3, case.k, case.k))
    found = identities.convolve_stuffed(y, weight, case)
    np.testing.assert_allclose(found, stamp(y, weight, case), atol=1e-12)


@pytest.mark.parametrize("measure", identities.IDENTITIES.values(), ids=lambda m: m.__name__)
def test_an_identity_that_fails_is_measured(measure, monkeypatch):
    case, generator = Case(6, 3, 2, 1), np.random.default_rng(0)
    assert measure(case, generator, np.float64) < 1e-14
    right = kernels.conv_transpose2d
    monkeypatch.setattr(kernels, "conv_transpose2d", lambda *arguments: 1.01 * right(*arguments))
    assert measure(case, generator, np.float64) > 1e-4


def test_windows_that_see_nothing_but_padding_are_no_division_by_zero():
    case, generator = Case(1, 1, 3, 4), np.random.default_rng(0)
    for measure in identities.IDENTITIES.values():
        assert measure(case, generator, np.float64) == 0


# -- The whole -----------------------------------------------------------------------------------


def test_the_tables(result):
    relationships, figures, both = result.tables.values()
    assert [row["number"] for row in relationships.rows] == list(range(1, 16))
    assert all(row["all equal"] for row in relationships.rows)
    assert all(row["cases"] > 10 for row in relationships.rows)
    assert all(row["example"].endswith(f"-> {row['kernel gives']}") for row in relationships.rows)
    assert relationships.rows[13]["example"] == "i'=3 k=3 s=2 p=1 a=1 -> 6"
    assert relationships.rows[14]["example"] == "i=7 k=3 d=2 -> 3"
    assert len(figures.rows) == 17
    assert all(row["equal"] for row in figures.rows)
    limits = {"float64": 1e-14, "float32": 1e-5}
    assert all(0 < row["difference"] < limits[row["dtype"]] for row in both.rows)


def test_the_findings(result):
    agreement, ambiguous, last = result.findings
    assert re.fullmatch(
        r"Formulas and kernels were compared on [\d,]+ sizes: they agree throughout\.", agreement
    )
    assert "i=5 and i=6 both become 3 with k=3 s=2 p=1 (a=0 and a=1)" in ambiguous
    assert re.search(r"\d\.\de-1[4-7]\.$", last)


def test_a_difference_is_told():
    checks = [[(Case(4, 3), 2, 2)]] * 15
    checks[6] = [(Case(4, 3), 2, 2), (Case(4, 3), 2, 3)]
    found = arithmetic._findings(checks, tables.identity_table([Case(4, 3)]))[0]
    assert found.endswith("on 16 sizes: they differ from the kernels in relationships [7].")


def test_two_runs_give_the_same(result, tmp_path):
    again = arithmetic.run(Settings(tmp_path, (0,)))
    assert [path.name for path in again.pictures] == [
        "arithmetic_direct.png", "arithmetic_transposed.png"
    ]  # fmt: skip
    assert again.to_json()["tables"] == result.to_json()["tables"]
    for first, second in zip(result.pictures, again.pictures, strict=True):
        assert first.read_bytes() == second.read_bytes()
