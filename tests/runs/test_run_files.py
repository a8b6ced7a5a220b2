import dataclasses
import itertools
import math
import tracemalloc

import numpy as np
import pytest
from small_runs import rewrite, start, state_of

from minifcn import nn
from minifcn.data import VOID
from minifcn.functional import cat
from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.runs.log import LOG_COLUMNS, format_log, read_log
from minifcn.runs.run import Run
from minifcn.runs.steps import evaluate, evaluate_at, predict

pytestmark = pytest.mark.usefixtures("few_scenes")


# -- Starting and resuming -----------------------------------------------------------------------


def test_a_run_needs_a_new_or_empty_folder(tmp_path, contents):
    (tmp_path / "run").mkdir()
    start(tmp_path / "run", iterations=1).train()
    (tmp_path / "file").write_text("mine")
    before = contents(tmp_path)
    for name in ("run", "file"):
        with pytest.raises(ValueError, match="out must be a new or empty folder; got"):
            start(tmp_path / name)
    assert contents(tmp_path) == before


def test_what_a_killed_start_left_behind_is_no_obstacle(tmp_path):
    (tmp_path / ".config.json.a1b2c3").write_bytes(b"{")
    start(tmp_path, iterations=1).train()
    assert Run.resume(tmp_path).iteration == 1


def test_a_gpu_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    with pytest.raises(ValueError, match="device 'cuda' cannot be used"):
        start(tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()


def test_resuming_without_a_run(tmp_path):
    with pytest.raises(ValueError, match=r"is not the folder of a run"):
        Run.resume(tmp_path)


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    start(tmp_path / "run").train()
    before = state_of(tmp_path / "run"), (tmp_path / "run" / "log.csv").read_bytes()
    run = Run.resume(tmp_path / "run")
    run.train(lambda row: pytest.fail("nothing is left to do"))
    assert (state_of(tmp_path / "run"), (tmp_path / "run" / "log.csv").read_bytes()) == before


DAMAGED = {
    "no metadata": ({}, dict.fromkeys(("iteration", "generator", "best_mean_iu")), "is missing"),
    "no iteration": ({}, {"iteration": None}, "not the checkpoint of a run; 'iteration' is miss"),
    "iteration": ({}, {"iteration": "two"}, "invalid literal"),
    "negative iteration": ({}, {"iteration": "-2"}, "iteration must be from 0 to 4; got -2"),
    "late iteration": ({}, {"iteration": "5"}, "iteration must be from 0 to 4; got 5"),
    "best": ({}, {"best_mean_iu": "nan"}, "best_mean_iu must be from -1 to 1; got nan"),
    "generator": ({}, {"generator": '{"state": NaN}'}, "state of the random generator is malfo"),
    "weight missing": ({"model.fc7.0.weight": None}, {}, r"1 missing \(fc7.0.weight\)"),
    "weight unknown": ({"model.x": np.ones(1)}, {}, r"1 unknown \(x\)"),
    "weight shape": ({"model.fc7.0.weight": np.ones(3)}, {}, r"must have shape \(4, 4, 1, 1\)"),
    "weight NaN": (
        {"model.fc7.0.weight": np.full((4, 4, 1, 1), np.nan)},
        {},
        "fc7.0.weight is not finite",
    ),
    "optimiser": ({"optimizer.mean.0": None}, {}, "does not fit this optimizer; see mean.0"),
    "steps": ({"optimizer.steps": np.array(-1)}, {}, "steps must be at least 0"),
}


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short") / "run"
    start(folder, iterations=4).train()
    return folder


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_checkpoint_is_refused_and_left_alone(short_run, tmp_path, contents, case):
    arrays, metadata, message = DAMAGED[case]
    for file in ("config.json", "log.csv", "last.safetensors"):
        (tmp_path / file).write_bytes((short_run / file).read_bytes())
    rewrite(tmp_path / "last.safetensors", arrays, metadata)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        Run.resume(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "last.safetensors"))
    assert contents(tmp_path) == before


def test_load_model_refuses_weights_that_do_not_fit_or_are_not_finite(short_run, tmp_path):
    for file in ("config.json", "best.safetensors"):
        (tmp_path / file).write_bytes((short_run / file).read_bytes())
    rewrite(tmp_path / "best.safetensors", {"fc7.1.running_var": np.full(4, np.inf)})
    with pytest.raises(ValueError, match=r"best.safetensors: fc7.1.running_var is not finite"):
        load_model(tmp_path)
    rewrite(tmp_path / "best.safetensors", {"fc7.1.running_var": None})
    with pytest.raises(ValueError, match=r"best.safetensors: state does not fit"):
        load_model(tmp_path)
    with pytest.raises(ValueError, match=r"last.safetensors: no such file"):
        load_model(tmp_path, "last")


# -- The log -------------------------------------------------------------------------------------

ROWS = [
    dict(zip(LOG_COLUMNS, values, strict=True))
    for values in (
        (1, 1 / 3, 1e-300, None, None),
        (2, 0.0, 0.1, 0.1 + 0.2, 1.0),
        (3, 2.5, 0.1, math.inf, None),
    )
]


def test_the_log_round_trips_without_rounding(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(format_log(ROWS), newline="")
    assert read_log(path) == ROWS
    path.write_text(format_log([]), newline="")
    assert read_log(path) == []


def test_a_log_cut_anywhere_gives_the_rows_that_are_whole(tmp_path):
    path, text = tmp_path / "log.csv", format_log(ROWS).encode()
    header = len(format_log([]))
    for end in range(header, len(text)):
        path.write_bytes(text[:end])
        whole = text[:end].count(b"\r") - 1  # a last line without its \n is whole all the same
        assert read_log(path) == ROWS[:whole]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must start with the columns iteration, loss, lr, mean_iu, pixel_accuracy"),
        (b"a,b\r\n1,2\r\n", "must start with the columns"),
        (format_log([]).encode() + b"1,high,2,,\r\n", "a cell must be a number; got 'high'"),
        (b"\xff\xfe", "not a readable log"),
    ],
)
def test_a_log_that_is_none(tmp_path, content, message):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_log(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_log_that_is_missing_or_too_short_for_its_checkpoint(short_run, tmp_path):
    for file in ("config.json", "last.safetensors"):
        (tmp_path / file).write_bytes((short_run / file).read_bytes())
    with pytest.raises(ValueError, match=r"log.csv: not a readable log \(FileNotFoundError\)"):
        Run.resume(tmp_path)
    rows = read_log(short_run / "log.csv")
    (tmp_path / "log.csv").write_text(format_log(rows[:-1]), newline="")
    assert Run.resume(tmp_path).log == rows  # the checkpoint has the last one
    (tmp_path / "log.csv").write_text(format_log(rows[:-2]), newline="")
    with pytest.raises(ValueError, match=r"log.csv: rows before 4 are missing"):
        Run.resume(tmp_path)
    later = [*rows, *({**row, "iteration": 9} for row in itertools.islice(rows, 2))]
    (tmp_path / "log.csv").write_text(format_log(later), newline="")
    assert Run.resume(tmp_path).log == rows  # rows after the checkpoint are computed again


def test_a_config_with_other_classes_than_the_data_is_refused(short_run, tmp_path):
    config = Config.load(short_run / "config.json")
    config = dataclasses.replace(config, classes={"a": (0, 0, 0)})
    (tmp_path / "config.json").write_text(config.to_json("0.1.0"))
    with pytest.raises(ValueError, match="data must have the classes of the run, a; got backgr"):
        Run.resume(tmp_path)


# -- Predicting and evaluating -------------------------------------------------------------------


class ByBrightness(nn.Module):
    """Scores class 1 where an image is bright, class 0 elsewhere."""

    def forward(self, x):
        bright = x[:, :1]
        return cat((-bright, bright), 1)


class Scenes:
    """A data set of given samples."""

    classes = ("dark", "bright")
    palette = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)

    def __init__(self, *sizes):
        generator = np.random.default_rng(0)
        self.images = [generator.integers(0, 256, (*s, 3), dtype=np.uint8) for s in sizes]
        self.masks = [generator.choice(np.array([0, 1, VOID], np.uint8), s) for s in sizes]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.masks[i]

    def name(self, i):
        return str(i)


@pytest.mark.parametrize(
    "sizes", [[(4, 6)] * 5, [(4, 6), (1, 1), (9, 2), (4, 6)], [(3, 5)] * 2 + [(5, 3)] * 2, []]
)
def test_evaluate_counts_every_pixel_once_whatever_the_sizes(sizes):
    data, model = Scenes(*sizes), ByBrightness()
    matrix = evaluate(model, data, batch_size=2)
    expected = np.zeros((2, 2), np.int64)
    for image, mask in (data[i] for i in range(len(data))):
        for truth, red in zip(mask.ravel(), image[..., 0].ravel(), strict=True):
            if truth != VOID:
                expected[truth, int(red / 255 > 0.485)] += 1
    np.testing.assert_array_equal(matrix.counts, expected)
    assert not model.training


class Photos(Scenes):
    """Samples that are much larger than what the network sees, each made when it is asked for."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return np.full((600, 800, 3), i, np.uint8), np.zeros((600, 800), np.uint8)


def test_photos_that_are_scored_at_their_own_size_are_not_all_held_at_once():
    peaks = []
    for count in (2, 16):
        tracemalloc.start()
        try:
            matrix = evaluate_at(ByBrightness(), Photos(count), (32, 32)).matrix
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert matrix.counts.sum() == count * 600 * 800
    assert peaks[1] < 3 * peaks[0]


def test_predict_returns_ids_and_records_nothing():
    images = Scenes((4, 6), (4, 6)).images
    ids = predict(ByBrightness(), images)
    assert (ids.shape, ids.dtype) == ((2, 4, 6), np.uint8)
    np.testing.assert_array_equal(ids, np.stack(images)[..., 0] / 255 > 0.485)


def test_predict_raises_where_scores_are_not_finite():
    class Broken(ByBrightness):
        def forward(self, x):
            return super().forward(x) / 0.0

    with pytest.raises(FloatingPointError, match="a score of the network is not finite"):
        predict(Broken(), Scenes((2, 2)).images)
