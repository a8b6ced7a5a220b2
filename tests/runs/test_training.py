import math
import signal
import threading
from collections import Counter

import numpy as np
import pytest
from small_runs import start, state_of

from minifcn.data import VOID, Batches, InMemory, Shapes
from minifcn.metrics import ConfusionMatrix
from minifcn.optim import cosine
from minifcn.runs import run as run_module
from minifcn.runs.checkpoint import load_model
from minifcn.runs.interrupt import Interrupted
from minifcn.runs.log import LOG_COLUMNS, read_log
from minifcn.runs.run import Run, TrainingDivergedError
from minifcn.runs.steps import Scored, evaluate
from minifcn.system.files import load_arrays

pytestmark = pytest.mark.usefixtures("few_scenes", "ctrl_c")


# -- A run from start to end ---------------------------------------------------------------------


def test_a_run_leaves_its_files_and_its_log(tmp_path):
    run, rows = start(tmp_path / "run"), []
    run.train(rows.append)
    names = {"config.json", "log.csv", "last.safetensors", "best.safetensors"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    assert rows == run.log == read_log(tmp_path / "run" / "log.csv")
    assert [tuple(row) for row in rows] == [LOG_COLUMNS] * 6
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["lr"] for row in rows] == [run.config.lr * cosine(i, 6, 2) for i in range(6)]
    assert [row["mean_iu"] is None for row in rows] == [True, True, False] * 2
    assert [row["pixel_accuracy"] is None for row in rows] == [True, True, False] * 2
    assert all(0 < row["loss"] < 10 for row in rows)
    text = (tmp_path / "run" / "log.csv").read_text()
    assert text.splitlines()[0] == "iteration,loss,lr,mean_iu,pixel_accuracy"


def test_the_log_grows_while_it_trains_and_checkpoints_come_in_time(tmp_path):
    folder, seen = tmp_path / "run", []

    def look(row):
        checkpoint = folder / "last.safetensors"
        done = int(state_of(folder)[1]["iteration"]) if checkpoint.exists() else 0
        seen.append((len(read_log(folder / "log.csv")), done))

    start(folder, iterations=5, evaluate_every=100).train(look)
    assert seen == [(1, 0), (2, 2), (3, 2), (4, 4), (5, 5)]


def test_the_last_iteration_is_always_validated_and_saved(tmp_path):
    run = start(tmp_path / "run", iterations=2, evaluate_every=100, checkpoint_every=100)
    run.train()
    assert run.log[-1]["mean_iu"] is not None
    assert state_of(tmp_path / "run")[1]["iteration"] == "2"
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_two_runs_are_equal_bit_for_bit(tmp_path):
    for name in ("a", "b"):
        start(tmp_path / name, dropout=0.2).train()
    for file in ("last", "best"):
        assert state_of(tmp_path / "a", file) == state_of(tmp_path / "b", file)
    for file in ("log.csv", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_another_seed_is_another_run(tmp_path):
    for seed in (0, 1):
        start(tmp_path / str(seed), seed=seed, iterations=1).train()
    assert state_of(tmp_path / "0") != state_of(tmp_path / "1")


def test_four_scenes_can_be_learned_by_heart(tmp_path):
    choices = {"lr": 5e-2, "widths": (8, 12, 16, 16, 16), "head_width": 16}
    run = start(tmp_path / "run", iterations=120, evaluate_every=120, **choices)
    scenes = InMemory(Shapes("train", 4, size=(32, 32)))
    run.batches = Batches(scenes, 4)
    run.train()
    assert run.log[-1]["loss"] < 0.3 * run.log[0]["loss"]
    matrix = evaluate(run.model, scenes)
    assert matrix.mean_iu > 1.5 * matrix.baseline_mean_iu


def test_a_batch_without_any_label_changes_nothing_and_survives(tmp_path):
    run = start(tmp_path / "run", iterations=2)
    before = {name: p.data.copy() for name, p in run.model.named_parameters()}
    images, labels = run.batches.batch(0)
    run.batches.batch = lambda iteration: (images, np.full_like(labels, VOID))
    run.train()
    assert [row["loss"] for row in run.log] == [0, 0]
    for name, parameter in run.model.named_parameters():
        np.testing.assert_array_equal(parameter.data, before[name])


def test_validation_without_any_label_still_keeps_weights(tmp_path, monkeypatch):
    run = start(tmp_path / "run", iterations=2, evaluate_every=1)
    monkeypatch.setattr(run_module, "evaluate_at", lambda *_: Scored(ConfusionMatrix(6), Counter()))
    run.train()
    assert math.isnan(run.log[-1]["mean_iu"])
    assert state_of(tmp_path / "run", "best")[1]["iteration"] == "1"
    assert Run.resume(tmp_path / "run").best_mean_iu == 0


def test_best_holds_the_weights_of_the_best_validation(tmp_path, monkeypatch):
    scores = iter([0.25, 0.75, 0.5, 0.75])
    states = []

    class Matrix:
        pixel_accuracy = 0.5

        def __init__(self):
            self.mean_iu = next(scores)

    def scripted(model, *_):
        states.append(model.state_dict())
        return Scored(Matrix(), Counter())

    monkeypatch.setattr(run_module, "evaluate_at", scripted)
    run = start(tmp_path / "run", iterations=4, evaluate_every=1, checkpoint_every=1)
    run.train()
    arrays, metadata = load_arrays(tmp_path / "run" / "best.safetensors")
    assert metadata == {"iteration": "2", "mean_iu": "0.75"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, states[1][name])
    assert any(not np.array_equal(array, states[3][n]) for n, array in arrays.items())
    assert state_of(tmp_path / "run")[1]["best_mean_iu"] == "0.75"
    assert [row["mean_iu"] for row in run.log] == [0.25, 0.75, 0.5, 0.75]


def test_best_and_last_can_be_loaded(tmp_path):
    run = start(tmp_path / "run")
    run.train()
    best = max(row["mean_iu"] for row in run.log if row["mean_iu"] is not None)
    config, model = load_model(tmp_path / "run")
    assert config == run.config
    assert not model.training
    assert evaluate(model, run.val_data).mean_iu == best
    _, last = load_model(tmp_path / "run", "last")
    assert evaluate(last, run.val_data).mean_iu == run.log[-1]["mean_iu"]


# -- Divergence ----------------------------------------------------------------------------------


def with_bad_batch(run, bad):
    own = run.batches.batch

    def batch(iteration):
        images, labels = own(iteration)
        return (images * np.float32("nan") if iteration == bad else images), labels

    run.batches.batch = batch
    return run


def test_a_loss_that_is_not_finite_stops_and_the_last_good_checkpoint_stays(tmp_path):
    folder = tmp_path / "run"
    run = with_bad_batch(start(folder), bad=4)
    with pytest.raises(TrainingDivergedError, match="loss is nan at iteration 5") as caught:
        run.train()
    assert f"last good checkpoint is {folder / 'last.safetensors'};" in str(caught.value)
    assert "try a smaller lr than 0.0" in str(caught.value)
    arrays, metadata = load_arrays(folder / "last.safetensors")
    assert metadata["iteration"] == "4"
    assert all(np.isfinite(array).all() for array in arrays.values())
    resumed = Run.resume(folder)
    resumed.train()
    assert resumed.iteration == 6


def test_a_first_loss_that_is_not_finite(tmp_path):
    run = with_bad_batch(start(tmp_path / "run"), bad=0)
    with pytest.raises(TrainingDivergedError, match="at iteration 1; no checkpoint yet"):
        run.train()
    assert not (tmp_path / "run" / "last.safetensors").exists()


@pytest.mark.parametrize("name", ["backbone.stage1.0.0.weight", "fc6.1.running_var"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_weights_that_are_not_finite_are_never_saved(tmp_path, name, value):
    folder = tmp_path / "run"
    run = start(folder, iterations=3, evaluate_every=1, checkpoint_every=1)
    own = run._step

    def step(*batch):
        row = own(*batch)
        if run.iteration == 1:
            dict(run.model.named_tensors())[name].data[...] = value
        return row

    run._step = step
    with pytest.raises(TrainingDivergedError, match=f"{name} is not finite at iteration 2; the la"):
        run.train()
    for file in ("last", "best"):
        assert state_of(folder, file)[1]["iteration"] == "1"
    with pytest.raises(TrainingDivergedError, match=f"{name} is not finite"):
        run.save()


def test_scores_that_overflow_are_a_divergence(tmp_path):
    """Finite weights may be so large that products of them are not."""
    run = start(tmp_path / "run", iterations=1)
    own = run._step

    def step(*batch):
        row = own(*batch)
        for parameter in run.model.parameters():
            parameter.data[...] = 3e38
        return row

    run._step = step
    with pytest.raises(TrainingDivergedError, match="a score of the network is not finite at iter"):
        run.train()
    assert not (tmp_path / "run" / "best.safetensors").exists()


# -- Ctrl-C --------------------------------------------------------------------------------------


def test_ctrl_c_saves_after_the_iteration_and_goes_on_from_there(tmp_path):
    folder, handler = tmp_path / "run", signal.getsignal(signal.SIGINT)
    run = start(folder, checkpoint_every=100)

    def press(row):
        if row["iteration"] == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="stopped after iteration 3"):
        run.train(press)
    assert signal.getsignal(signal.SIGINT) is handler
    assert state_of(folder)[1]["iteration"] == "3"
    Run.resume(folder).train()
    start(tmp_path / "whole", checkpoint_every=100).train()
    assert state_of(folder) == state_of(tmp_path / "whole")


def test_ctrl_c_in_the_last_iteration_finishes(tmp_path):
    run = start(tmp_path / "run", iterations=2)
    run.train(lambda row: row["iteration"] == 1 and signal.raise_signal(signal.SIGINT))
    assert run.iteration == 2


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    run = start(tmp_path / "run", checkpoint_every=1)

    def press_twice(row):
        if row["iteration"] == 2:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run.train(press_twice)
    assert state_of(tmp_path / "run")[1]["iteration"] == "2"


def test_ctrl_c_stays_ignored_in_a_background_job(tmp_path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = start(tmp_path / "run", iterations=3)
    run.train(lambda row: signal.raise_signal(signal.SIGINT))
    assert run.iteration == 3
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_training_works_outside_the_main_thread(tmp_path):
    run = start(tmp_path / "run", iterations=2)
    thread = threading.Thread(target=run.train)
    thread.start()
    thread.join()
    assert state_of(tmp_path / "run")[1]["iteration"] == "2"
