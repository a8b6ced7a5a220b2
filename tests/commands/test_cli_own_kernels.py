"""minifcn train --kernels and --mistake, as a student uses them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from small_runs import TINY as OPTIONS
from small_runs import results_of

from minifcn.commands import own_kernels
from minifcn.course.exercises import folder as course_folder
from minifcn.course.training import rehearsal
from minifcn.course.training.kernels import OwnKernels
from minifcn.course.training.rehearsal import Rehearsal
from minifcn.runs.config import Config
from minifcn.runs.interrupt import Interrupted
from minifcn.runs.log import read_log

ANSWERS = Path(course_folder.__file__).parent / "answers"
TINY = (*OPTIONS, "--by-heart", "2")
MISTAKE = "conv2d_backward:dx.overwrite/tap"


@pytest.fixture
def course(tmp_path):
    """A folder in which three functions are right, and one is wrong."""
    folder = tmp_path / "my-course"
    course_folder.start(folder)
    for name in ("convolution", "one_by_one", "loss"):
        (folder / f"{name}.py").write_bytes((ANSWERS / f"{name}.py").read_bytes())
    (folder / "transposed.py").write_text("def conv_transpose2d(*given):\n    return 0\n")
    return folder


def choices(**given):
    recipe = {"size": (32, 32), "batch_size": 2, "iterations": 4, "evaluate_every": 2}
    nothing = dict.fromkeys(("device", "kernels", "mistake", "data"))
    return nothing | recipe | {"by_heart": 2} | given


def test_train_on_own_kernels_says_whose_is_what_and_what_it_costs(cli, course, tmp_path):
    result = cli("train", *TINY, "--kernels", course, "--out", tmp_path / "run")
    assert result.code == 0
    assert "yours: conv2d, conv1x1, cross_entropy\n" in result.err
    assert f"conv_transpose2d (wrong: minifcn course check {course} transposed)" in result.err
    assert "minifcn's: conv2d_backward, max_pool2d" in result.err
    assert "(not written yet)" in result.err
    assert "a step takes " in result.err
    assert "; all of it about " in result.err
    config = Config.load(tmp_path / "run" / "config.json")
    assert (config.kernels, config.mistake, config.size) == (str(course), None, (32, 32))
    assert len(read_log(tmp_path / "run" / "log.csv")) == 4
    assert "mean IU" in result.out


def test_right_functions_train_as_minifcns_do(cli, course, tmp_path):
    assert cli("train", *TINY, "--kernels", course, "--out", tmp_path / "first").code == 0
    config = json.loads((tmp_path / "first" / "config.json").read_text())
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "config.json").write_text(json.dumps(config | {"kernels": None}))
    assert cli("train", "--resume", tmp_path / "second").code == 0
    own, minifcns = ([row["loss"] for row in read_log(tmp_path / name / "log.csv")]
                     for name in ("first", "second"))  # fmt: skip
    np.testing.assert_allclose(own, minifcns, rtol=1e-3)


def test_a_mistake_is_trained_beside_the_right_one(cli, tmp_path):
    out = tmp_path / "run"
    result = cli("train", *TINY, "--mistake", "dx.overwrite/tap", "--out", out, "--json")
    assert result.code == 0
    assert f"the mistake, in conv2d_backward: {MISTAKE.partition(':')[2]}: of x: " in result.err
    assert "right: loss " in result.err
    assert "with the mistake: loss " in result.err
    assert f"this bug still trains: the loss falls ({out / 'beside.png'})" in result.err
    assert json.loads(result.out)["run"] == str(out)
    config, right = (Config.load(one / "config.json") for one in (out, out / "right"))
    assert (config.mistake, right.mistake) == (MISTAKE, None)
    wrong_log, right_log = (read_log(one / "log.csv") for one in (out, out / "right"))
    assert wrong_log[0]["loss"] == right_log[0]["loss"]  # the mistake is in backward
    assert wrong_log[-1]["loss"] != right_log[-1]["loss"]
    with Image.open(out / "beside.png") as picture:
        assert np.array(picture.convert("L")).std() > 5


@pytest.mark.parametrize("stopped", ["right", "wrong"])
def test_a_run_with_a_mistake_goes_on_where_it_stopped(cli, tmp_path, monkeypatch, stopped):
    """Bit for bit as if it had not been stopped, before or after the run beside it was done."""
    given = choices(mistake=MISTAKE)

    def finish(run):
        run.train()

    own_kernels.start(given, tmp_path / "whole", finish)
    if stopped == "right":
        monkeypatch.setattr(own_kernels, "Progress", Stopping)
        with pytest.raises(Interrupted):
            own_kernels.start(given, tmp_path / "run", finish)
        monkeypatch.undo()
        assert not (tmp_path / "run" / "log.csv").exists()
    else:

        def interrupted(run):
            run.train(Stopping())

        with pytest.raises(Interrupted):
            own_kernels.start(given, tmp_path / "run", interrupted)
        assert len(read_log(tmp_path / "run" / "right" / "log.csv")) == 4
    assert cli("train", "--resume", tmp_path / "run").code == 0
    for part in ("", "right"):
        whole, run = (results_of(tmp_path / name / part) for name in ("whole", "run"))
        assert {name: whole[name] for name in ("last", "best", "log.csv")} == {
            name: run[name] for name in ("last", "best", "log.csv")
        }


@pytest.mark.parametrize("when", ["before the first step", "after a step"])
def test_a_stop_in_the_run_without_the_mistake_says_how_to_go_on(tmp_path, monkeypatch, when):
    class Stopped(Stopping):
        def __enter__(self):
            if when == "before the first step":
                raise KeyboardInterrupt

    monkeypatch.setattr(own_kernels, "Progress", Stopped)
    out = tmp_path / "run"
    with pytest.raises((Interrupted, KeyboardInterrupt)) as stop:
        own_kernels.start(choices(mistake=MISTAKE), out, lambda run: run.train())
    if when == "before the first step":
        assert stop.type is KeyboardInterrupt
        assert not out.exists()
    else:
        assert str(stop.value).endswith(f"go on with: minifcn train --resume {out}")


@pytest.mark.parametrize("line", ["a step takes", "first without"])
def test_a_stop_before_the_first_step_leaves_nothing(tmp_path, monkeypatch, line):
    def say(text):
        if text.startswith(line):
            raise KeyboardInterrupt

    monkeypatch.setattr(own_kernels, "say", say)
    with pytest.raises(KeyboardInterrupt):
        own_kernels.start(choices(mistake=MISTAKE), tmp_path / "run", lambda run: run.train())
    assert not (tmp_path / "run").exists()


def test_a_stop_in_the_first_step_with_the_mistake_keeps_the_run_without(cli, tmp_path):
    def interrupted(run):
        def compute_loss(scores, labels):
            raise KeyboardInterrupt

        run.compute_loss = compute_loss
        run.train()

    with pytest.raises(KeyboardInterrupt):
        own_kernels.start(choices(mistake=MISTAKE), tmp_path / "run", interrupted)
    before = results_of(tmp_path / "run" / "right")
    assert cli("train", "--resume", tmp_path / "run").code == 0
    assert results_of(tmp_path / "run" / "right") == before
    assert (tmp_path / "run" / "beside.png").exists()


def test_the_data_of_a_run_with_a_mistake_may_have_moved(cli, tmp_path):
    data = tmp_path / "data"
    generator = np.random.default_rng(0)
    for part, name, kind in (("images", "a.png", (32, 32, 3)), ("masks", "a.png", (32, 32))):
        for split in ("train", "val"):
            folder = data / part / split
            folder.mkdir(parents=True)
            Image.fromarray(generator.integers(0, 2, kind).astype(np.uint8)).save(folder / name)
    given = choices(mistake=MISTAKE, data=str(data), by_heart=None, iterations=2)

    def interrupted(run):
        raise Interrupted

    with pytest.raises(Interrupted):
        own_kernels.start(given, tmp_path / "run", interrupted)
    data.rename(tmp_path / "moved")
    result = cli("train", "--resume", tmp_path / "run", "--data", tmp_path / "moved")
    assert result.code == 0, result.err
    assert (tmp_path / "run" / "beside.png").exists()


class Stopping:
    """A progress that raises Interrupted after two iterations, as Ctrl-C does."""

    def __init__(self, *arguments):
        self.left = 2

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __call__(self, row):
        self.left -= 1
        if not self.left:
            raise Interrupted


def test_a_mistake_that_diverges_is_a_result(cli, tmp_path, monkeypatch):
    from minifcn.runs.run import Run
    from minifcn.runs.steps import cross_entropy

    def diverging(run):
        def compute_loss(scores, labels):
            lost = run.iteration == 2
            return cross_entropy(scores, labels) * (float("nan") if lost else 1.0)

        run.compute_loss = compute_loss
        run.train()

    lines = []
    monkeypatch.setattr(own_kernels, "say", lines.append)
    own_kernels.start(choices(mistake=MISTAKE), tmp_path / "run", diverging)
    assert lines[-1].startswith("this bug does not train (")
    assert any("loss is nan at iteration 3" in line for line in lines)
    assert (tmp_path / "run" / "beside.png").exists()
    assert Run.resume(tmp_path / "run" / "right").iteration == 4


def test_a_function_that_fails_in_training_is_said_to(cli, course, tmp_path):
    right = (ANSWERS / "loss.py").read_text()
    counting = "    counts = labels != void\n"
    assert counting in right
    refusing = "    assert scores.dtype != np.float32, 'too few digits'\n"
    (course / "loss.py").write_text(right.replace(counting, refusing + counting))
    result = cli("train", *TINY, "--kernels", course, "--out", tmp_path / "run")
    assert result.code == 0
    assert "cross_entropy failed, and minifcn's has computed since: AssertionError" in result.err


def test_what_functions_print_is_no_part_of_the_results(cli, course, tmp_path):
    right = (ANSWERS / "loss.py").read_text()
    counting = "    counts = labels != void\n"
    printing = right.replace(counting, "    print('in the loss')\n" + counting)
    (course / "loss.py").write_text("print('in the file')\n" + printing)
    result = cli("train", *TINY, "--kernels", course, "--out", tmp_path / "run", "--json")
    assert json.loads(result.out)["images"] == 2
    assert "in the file\n" in result.err
    assert "in the loss\n" in result.err


def test_the_time_of_all_is_that_of_both_runs(tmp_path, monkeypatch):
    config, own = Config.make(**choices(mistake=MISTAKE)), OwnKernels({})
    monkeypatch.setattr(
        rehearsal, "choose_mistake", lambda *given: (config, Rehearsal(30.0, 0.0, {}, {}), own)
    )
    monkeypatch.setattr(rehearsal, "rehearse", lambda *given: Rehearsal(60.0, 0.0, {}, {}))
    lines = []
    monkeypatch.setattr(own_kernels, "say", lines.append)
    monkeypatch.setattr(own_kernels, "_train", lambda *given: None)
    own_kernels.start(choices(mistake=MISTAKE), tmp_path / "run", lambda run: None)
    assert lines == ["a step takes 30 s; all of it about 6 minutes"]


@pytest.mark.parametrize("given", [{"kernels": "my-course"}, {"mistake": MISTAKE}])
def test_own_kernels_do_not_go_on_on_a_gpu(tmp_path, given):
    run = SimpleNamespace(device="cuda", config=Config.make(**given), folder=tmp_path)
    with pytest.raises(ValueError, match="device must be cpu for functions of a course; got --de"):
        own_kernels.go_on(run, None, lambda run: None)


def test_what_a_config_names_is_not_executed_unless_it_is_given(cli, course, tmp_path):
    """A run may come from somebody else; and its functions may have moved."""
    out = tmp_path / "run"
    assert cli("train", *TINY, "--kernels", course, "--out", out).code == 0
    ran = tmp_path / "ran"
    text = (course / "loss.py").read_text(encoding="utf-8")
    (course / "loss.py").write_text(f"open({str(ran)!r}, 'w').close()\n{text}", encoding="utf-8")
    result = cli("train", "--resume", out)
    assert result.code == 2
    assert f"give --kernels {course} if that is yours" in result.err
    assert not ran.exists()
    (course / "loss.py").write_text(text, encoding="utf-8")
    course.rename(tmp_path / "moved")
    assert cli("train", "--resume", out, "--kernels", tmp_path / "moved").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--kernels", "nowhere"), "kernels must be the folder of a course; got "),
        (("--mistake", "dx.overwrit"), "did you mean dx.overwrite"),
        (("--mistake", ""), "mistake must be one that a training can make; got ''"),
        (("--mistake", "dx.overwrite", "--device", "cuda"), "got --device cuda"),
        (("--by-heart", "0"), "by_heart must be at least 1; got 0"),
        (("--by-heart", "100001"), "by_heart must be at most 100000"),
    ],
)
def test_what_cannot_be_used_is_refused(refused, tmp_path, options, said):
    assert said in refused("train", *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_refused_before_any_work(refused, course, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    said = refused("train", *TINY, "--kernels", course, "--out", tmp_path / "out")
    assert "out must be a new or empty folder" in said


def test_a_run_on_minifcns_kernels_takes_none_later(cli, refused, tmp_path, course):
    assert cli("train", *TINY, "--out", tmp_path / "run").code == 0
    said = refused("train", "--resume", tmp_path / "run", "--kernels", course)
    assert f"kernels of {tmp_path / 'run'} are minifcn's; got --kernels {course}" in said


def test_by_heart_trains_and_scores_on_the_first_samples(cli, tmp_path):
    result = cli("train", *OPTIONS, "--by-heart", "3", "--out", tmp_path / "run")
    assert result.code == 0
    assert "images of 32x32, the first 3 by heart, on cpu" in result.err
    assert "of 3 images" in result.err
    config = Config.load(tmp_path / "run" / "config.json")
    assert (config.by_heart, config.flip) == (3, False)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 seconds"), (61, "61 seconds"), (300, "5 minutes")]
)
def test_durations_are_said_in_words(seconds, said):
    assert own_kernels._duration(seconds) == f"about {said}"
