"""A student's functions under the engine: what they compute, what minifcn does in their place."""

import itertools
import time
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import kernels
from minifcn.course.exercises import NAMES, find_exercise
from minifcn.course.exercises import folder as course_folder
from minifcn.course.training import rehearsal
from minifcn.course.training.functions import (
    USED,
    Piece,
    load_pieces,
    mistaken_pieces,
    without_mistake,
)
from minifcn.course.training.kernels import OwnKernels, PieceError
from minifcn.course.training.rehearsal import Rehearsal, choose_mistake, choose_recipe, rehearse
from minifcn.runs.config import Config
from minifcn.tensor import Tensor

ANSWERS = Path(course_folder.__file__).parent / "answers"
TINY = {
    "size": (32, 32), "batch_size": 2, "iterations": 4, "evaluate_every": 2,
    "widths": (3, 4, 5, 6, 7), "depths": (1,) * 5, "head_width": 4, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def answers():
    """The functions of all answers."""
    return load_pieces(ANSWERS)[0]


def piece(name, call):
    return Piece(name, call)


def counted(pieces, calls):
    """The same functions; each call puts the function's name into `calls`."""

    def counting(one, *arguments):
        calls.append(one.name)
        return one.call(*arguments)

    return {name: Piece(name, partial(counting, one)) for name, one in pieces.items()}


def random(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# -- What is loaded ------------------------------------------------------------------------------


def test_every_function_that_is_used_is_one_of_its_exercise():
    for name, exercise in USED.items():
        assert exercise in NAMES
        assert name in [function.name for function in find_exercise(exercise).functions]


def test_all_answers_can_be_used(answers):
    assert list(answers) == list(USED)


def test_what_is_missing_wrong_or_not_written_is_minifcns_with_the_reason(tmp_path):
    course_folder.start(tmp_path)
    (tmp_path / "loss.py").unlink()
    (tmp_path / "convolution.py").write_text((ANSWERS / "convolution.py").read_text())
    right = (ANSWERS / "pooling.py").read_text()
    (tmp_path / "pooling.py").write_text(right.replace("np.add.at(", "np.subtract.at("))
    assert right.count("np.add.at(") == 1
    pieces, reasons = load_pieces(tmp_path)
    assert list(pieces) == ["conv2d", "max_pool2d"]
    assert reasons["cross_entropy"] == "there is no loss.py"
    assert reasons["conv1x1"] == "not written yet"
    checking = f"wrong: minifcn course check {tmp_path} pooling"
    assert reasons["max_pool2d_backward"] == checking
    assert set(pieces) | set(reasons) == set(USED)


def test_a_folder_without_exercises_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"which has no convolution\.py \(minifcn course start"):
        load_pieces(tmp_path)


def test_a_file_that_runs_in_its_checks_only_is_not_used(tmp_path):
    course_folder.start(tmp_path)
    raising = "import sys\nif 'minifcn' in sys.modules:\n    sys.exit('not here')\n"
    (tmp_path / "pooling.py").write_text(raising + (ANSWERS / "pooling.py").read_text())
    pieces, reasons = load_pieces(tmp_path)
    assert pieces == {}
    assert reasons["max_pool2d"] == "pooling.py: SystemExit: not here"


def test_the_functions_of_a_file_share_what_it_defines(tmp_path):

    (tmp_path / "pooling.py").write_text((ANSWERS / "pooling.py").read_text())
    pieces, _ = load_pieces(tmp_path)
    forward, back = (pieces[name].call for name in ("max_pool2d", "max_pool2d_backward"))
    assert forward.__globals__ is back.__globals__


def test_a_call_that_was_interrupted_once_is_not_slow(monkeypatch, answers):
    """The clock goes on by .01 at every look, and by .4 more in the first call."""
    clock = itertools.count(0.0, 0.01)
    late = [0.4]
    now = {"late": 0.0}

    def call(*given):
        now["late"] += late.pop() if late else 0.0
        return answers["conv1x1"].call(*given)

    monkeypatch.setattr(time, "perf_counter", lambda: next(clock) + now["late"])
    own = piece("conv1x1", call)
    own(random(1, 2, 3, 3), random(2, 2), random(2))
    assert own.seconds > 0.4
    assert own.times_slower() < 4


# -- What is computed ----------------------------------------------------------------------------


def test_training_on_right_functions_is_training_on_minifcns(answers):
    config = Config.make(**TINY | {"size": (64, 96)})
    calls = []
    own = rehearse(config, OwnKernels(counted(answers, calls)), 3)
    minifcns = rehearse(config, OwnKernels({}), 3)
    assert set(calls) == set(USED)
    assert own.arrays.keys() == minifcns.arrays.keys()
    largest = max(np.abs(array).max() for array in minifcns.arrays.values())
    for name, array in minifcns.arrays.items():
        assert array.any(), name
        np.testing.assert_allclose(
            own.arrays[name], array, rtol=1e-2, atol=1e-5 * largest, err_msg=name
        )


def test_the_backward_of_a_convolution_is_called_once_for_all_its_gradients(answers):
    calls = []
    own = OwnKernels(counted(answers, calls))
    x = Tensor(random(2, 3, 6, 7), requires_grad=True)
    weight = Tensor(random(4, 3, 3, 2, seed=1), requires_grad=True)
    with kernels.use(own):
        F.conv2d(x, weight, stride=2, padding=1).sum().backward()
    assert calls == ["conv2d", "conv2d_backward"]


@pytest.mark.parametrize("name", list(USED))
def test_a_mistake_in_each_function_comes_through(name):
    """Each function stands in the place where its result matters: a wrong one changes the step."""
    config = Config.make(**TINY)
    (exercise,) = [find_exercise(own) for used, own in USED.items() if used == name]
    (function,) = [function for function in exercise.functions if function.name == name]
    for switch in function.switches:
        (wrong,) = [p for p in mistaken_pieces(f"{name}:{switch.id}") if p.mistake == switch]
        same = OwnKernels({name: without_mistake(wrong)})
        try:
            found = rehearse(config, OwnKernels({name: wrong}), 3)
        except PieceError:
            continue
        if found.differs(rehearse(config, same, 3)):
            return
    pytest.fail(f"no mistake in {name} changes anything")


def test_transposed_convolutions_forward_are_no_gradients_of_convolutions(answers):
    calls = []
    own = OwnKernels(counted(answers, calls))
    x = Tensor(random(2, 3, 4, 5), requires_grad=True)
    weight = Tensor(random(3, 2, 4, 4, seed=1), requires_grad=True)
    with kernels.use(own):
        y = F.conv_transpose2d(x, weight, stride=2, padding=1)
        assert calls == ["conv_transpose2d"]
        y.sum().backward()
    assert calls == ["conv_transpose2d", "conv2d"]


def test_a_layer_may_be_used_at_two_sizes(answers):
    def gradients():
        small, large = (Tensor(random(2, 3, n, 5), requires_grad=True) for n in (4, 6))
        weight = Tensor(random(3, 3, 3, 3, seed=1), requires_grad=True)
        total = sum((F.conv2d(x, weight, padding=1) ** 2).sum() for x in (small, large))
        total.backward()
        return [x.grad.data for x in (small, large, weight)]

    own = OwnKernels(answers)
    with kernels.use(own):
        found = gradients()
    assert own.failures == {}
    for ours, minifcns in zip(found, gradients(), strict=True):
        np.testing.assert_allclose(ours, minifcns, rtol=1e-4, atol=1e-4)


def test_forget_lets_go_of_the_arrays_of_a_step(answers):
    own = OwnKernels(answers)
    x = np.ones((1, 2, 5, 5), np.float32)
    kept = weakref.ref(x)
    with kernels.use(own):
        kernels.conv2d(x, random(3, 2, 3, 3))
    del x
    assert kept() is not None
    own.forget()
    assert kept() is None


@pytest.mark.parametrize("settings", [{"dilation": 2}, {"groups": 2}])
def test_what_an_exercise_does_not_have_minifcn_computes(answers, settings):
    calls = []
    x = Tensor(random(1, 4, 7, 7), requires_grad=True)
    weight = Tensor(random(2, 4 // settings.get("groups", 1), 3, 3, seed=1), requires_grad=True)
    with kernels.use(OwnKernels(counted(answers, calls))):
        y = F.conv2d(x, weight, **settings)
        y.sum().backward()
    assert calls == []
    np.testing.assert_array_equal(y.data, F.conv2d(x, weight, **settings).data)


def test_a_result_that_is_the_input_is_not_changed_with_it():
    own = OwnKernels({"conv1x1": piece("conv1x1", lambda x, weight, bias: x)})
    x = random(1, 2, 3, 3)
    before = x.copy()
    with kernels.use(own):
        y = kernels.conv1x1(x, np.eye(2, dtype=np.float32), rectify=True)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y, np.maximum(x, 0))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda *given: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda *given: np.zeros((1, 2)), "returned shapes (1, 2); expected (1, 2, 3, 3)"),
        (lambda *given: None, "returned shapes (); expected (1, 2, 3, 3)"),
    ],
)
def test_a_function_that_fails_is_given_up_and_said_to_be(wrong, said):
    own = OwnKernels({"conv1x1": piece("conv1x1", wrong)})
    x, weight = random(1, 2, 3, 3), random(2, 2, seed=1)
    with kernels.use(own):
        y = kernels.conv1x1(x, weight)
    np.testing.assert_array_equal(y, kernels.conv1x1(x, weight))
    assert said in own.failures["conv1x1"]
    assert "conv1x1" not in own.pieces


@pytest.mark.parametrize("index", [-1, 4])
def test_indices_outside_of_the_plane_are_a_failure(index):
    def pool(x, kernel_size, stride, padding):
        return x[:, :, :1, :1], np.full((1, 1, 1, 1), index)

    own = OwnKernels({"max_pool2d": piece("max_pool2d", pool)})
    with kernels.use(own):
        _, indices = kernels.max_pool2d(np.float32([[[[1, 2], [4, 3]]]]), 2)
    assert indices.item() == 2
    assert own.failures == {"max_pool2d": "ValueError: returned indices outside of [0, 4)"}


# -- Mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("dx.overwrit", r"got 'dx.overwrit'; did you mean dx.overwrite, .*minifcn course bank"),
        ("", "mistake must be one that a training can make; got ''"),
        ("conv1x1:dx.overwrite", "got 'conv1x1:dx.overwrite'"),
    ],
)
def test_an_unknown_mistake_is_refused(mistake, said):
    with pytest.raises(ValueError, match=said):
        mistaken_pieces(mistake)


def test_a_mistake_of_several_functions_has_to_be_told_which():
    both = "give batch_norm:bn.axes, batch_norm_backward:bn.axes"
    with pytest.raises(ValueError, match=f"can be made in several functions; {both}$"):
        mistaken_pieces("bn.axes")
    assert {one.name for one in mistaken_pieces("batch_norm_backward:bn.axes")} == {
        "batch_norm_backward"
    }


def test_the_first_reading_that_changes_something_is_taken():
    given = TINY | {"mistake": "dx.overwrite"}
    config, found, own = choose_mistake("dx.overwrite", given, OwnKernels({}))
    assert config.mistake.startswith("conv2d_backward:dx.overwrite/")
    assert list(own.pieces) == ["conv2d_backward"]
    assert "conv2d_backward" in found.shares


def test_a_mistake_that_changes_nothing_here_is_refused():
    """No convolution of the network has a stride."""
    with pytest.raises(ValueError, match="changes nothing in this network"):
        choose_mistake("dx.stride_ignored", TINY, OwnKernels({}))


def test_a_mistake_that_gives_nothing_to_go_on_with_is_refused():
    with pytest.raises(ValueError, match=r"cannot be trained with: .*returned shapes"):
        choose_mistake("dx.no_crop", TINY, OwnKernels({}))


# -- Recipes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "size"), [(0.01, (64, 64)), (0.4, (48, 48)), (9.0, (48, 48))])
def test_the_recipe_is_the_largest_that_takes_no_longer_than_enough(monkeypatch, step, size):
    tried = []

    def rehearsed(config, own):
        tried.append(config.size)
        return Rehearsal(step, step / 20, {}, {})

    monkeypatch.setattr(rehearsal, "rehearse", rehearsed)
    config, _ = choose_recipe({"data": None}, OwnKernels({}))
    assert config.size == size
    assert tried[0] == (48, 48)  # a large step would take minutes for functions in plain loops
    assert tried == [(48, 48)] or step < 1


@pytest.mark.parametrize(("by_heart", "size"), [(None, (48, 48)), (4, (64, 64))])
def test_the_recipe_depends_on_how_many_images_are_scored(monkeypatch, by_heart, size):
    monkeypatch.setattr(rehearsal, "rehearse", lambda *given: Rehearsal(0.01, 0.5, {}, {}))
    config, _ = choose_recipe({"by_heart": by_heart}, OwnKernels({}))
    assert config.size == size


def test_what_was_chosen_is_kept(monkeypatch):
    monkeypatch.setattr(rehearsal, "rehearse", lambda config, own: Rehearsal(9, 9, {}, {}))
    config, _ = choose_recipe({"iterations": 7, "size": None, "seed": 3}, OwnKernels({}))
    assert (config.iterations, config.size, config.seed, config.by_heart) == (7, (48, 48), 3, 2)


def test_the_time_of_all_is_that_of_steps_and_of_scores():
    config = Config.make(iterations=10, evaluate_every=5)
    assert Rehearsal(2.0, 0.5, {}, {}).total(config, 3) == 10 * 2 + (2 + 2) * 3 * 0.5
