import json

import numpy as np
import pytest

from minifcn import experiments, nn
from minifcn.commands import main
from minifcn.experiments.experiment import Experiment, Result, Settings, Table
from minifcn.experiments.fitting import fit
from minifcn.plots import figure_file
from minifcn.tensor import Tensor


def two_numbers(settings):
    settings.say("working")
    picture = settings.out / "dot.png"
    with figure_file(picture, 1, 1) as figure:
        figure.subplots().plot([settings.iterations(100)])
    row = {"name": "a", "score": float("nan"), "steps": settings.iterations(100_000)}
    table = Table("Two numbers", [row | {"even": True}], {"score": ".1f"}, note="So much for that.")
    return Result({"numbers": table}, [f"{len(settings.seeds)} seeds were used"], [picture])


@pytest.fixture(autouse=True)
def known(monkeypatch):
    entry = Experiment("numbers", two_numbers, seeds=3, minutes=5)
    monkeypatch.setitem(experiments.EXPERIMENTS, "numbers", entry)


def test_a_table_as_text():
    rows = [
        {"model": "FCN-8s", "mean IU": 0.67345, "weights": 1234567, "seconds": 3.14159},
        {"model": "a", "mean IU": None, "weights": 5, "seconds": float("nan")},
    ]
    assert Table("Models", rows, {"seconds": ".1f"}, "Note.").text().splitlines() == [
        "Models",
        "",
        "model   mean IU    weights  seconds",
        "-----------------------------------",
        "FCN-8s    0.673  1,234,567      3.1",
        "a             -          5        -",
        "",
        "Note.",
    ]


def test_long_sentences_are_wrapped():
    words = " ".join(["word"] * 30)
    table = Table("T", [{"a": 1}], note=f"{words}.\nShort.")
    *_, first, second, short = table.text().splitlines()
    assert (len(first), short) == (99, "Short.")
    assert f"{first} {second}" == f"{words}."
    *_, first, second = Result({"t": table}, [words]).text().splitlines()
    assert len(first) <= 100
    assert first.startswith("- word")
    assert second.startswith("  word")


def test_numpy_numbers_are_written_alike():
    row = {"whole": np.int64(12345), "score": np.float32(0.5), "even": np.bool_(True)}
    assert Table("T", [row]).text().splitlines()[-1] == "12,345  0.500   yes"


def test_the_command_prints_the_table_and_writes_all(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert main(["experiment", "numbers", "--out", str(folder)]) == 0
    shown = capsys.readouterr()
    assert "a         -  100,000   yes" in shown.out
    assert "- 3 seeds were used" in shown.out
    assert shown.out == (folder / "table.txt").read_text()
    assert shown.err.splitlines() == ["working", f"tables and pictures are in {folder}"]
    assert sorted(path.name for path in folder.iterdir()) == ["dot.png", "result.json", "table.txt"]


def test_json_alone_is_on_stdout(tmp_path, capsys):
    options = ["--json", "--seeds", "2", "--budget", "2.5", "--out", str(tmp_path)]
    assert main(["experiment", "numbers", *options]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values == json.loads((tmp_path / "result.json").read_text())
    assert values.pop("seconds") > 0
    assert values.pop("minifcn")
    assert values == {
        "experiment": "numbers",
        "seeds": 2,
        "budget": 2.5,
        "tables": {"numbers": [{"name": "a", "score": None, "steps": 50_000, "even": True}]},
        "findings": ["2 seeds were used"],
        "pictures": [str(tmp_path / "dot.png")],
    }


def test_each_run_without_a_folder_gets_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["experiment", "numbers"]) == 0
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["experiment-numbers", "experiment-numbers-2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["numbers", "--seeds", "0"], "seeds must be from 1 to 100; got 0"),
        (["numbers", "--seeds", "101"], "seeds must be from 1 to 100; got 101"),
        (
            ["numbers", "--budget", "0"],
            "budget must be more than 0 and at most 10,000 minutes; got 0.0",
        ),
        (
            ["numbers", "--budget", "nan"],
            "budget must be more than 0 and at most 10,000 minutes; got nan",
        ),
        (
            ["numbers", "--budget", "inf"],
            "budget must be more than 0 and at most 10,000 minutes; got inf",
        ),
    ],
)
def test_wrong_settings_are_named(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["experiment", *options]) == 2
    assert capsys.readouterr().err == f"minifcn: {message}\n"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main(["experiment", "numbers", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == f"minifcn: {tmp_path / 'file'}: File exists\n"
    assert (tmp_path / "file").read_text() == "mine"


def fails(settings):
    raise ValueError("settings must be better")


def test_an_error_leaves_no_empty_folder(tmp_path, monkeypatch, refused):
    monkeypatch.setitem(experiments.EXPERIMENTS, "numbers", Experiment("", fails))
    monkeypatch.chdir(tmp_path)
    assert "settings must be better" in refused("experiment", "numbers")
    assert "settings must be better" in refused("experiment", "numbers", "--out", "new")
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    assert "settings must be better" in refused("experiment", "numbers", "--out", "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_two_commands_at_once_have_two_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inner = []

    def another(settings):
        if not inner:
            inner.append(settings.out)
            assert main(["experiment", "numbers"]) == 0
        return two_numbers(settings)

    monkeypatch.setitem(experiments.EXPERIMENTS, "numbers", Experiment("", another))
    assert main(["experiment", "numbers"]) == 0
    folders = [tmp_path / "runs" / name for name in ("experiment-numbers", "experiment-numbers-2")]
    assert all((folder / "dot.png").exists() for folder in folders)


def test_a_folder_that_cannot_be_written_is_named_before_the_work(tmp_path, monkeypatch, refused):
    def full(**options):
        raise OSError(28, "No space left on device", str(options["dir"]))

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    monkeypatch.setitem(experiments.EXPERIMENTS, "numbers", Experiment("", fails))
    assert "No space left on device" in refused("experiment", "numbers", "--out", tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_numpy_numbers_become_json():
    row = {"a": np.float32(0.5), "b": np.int64(3), "c": [np.float64("nan"), (1, 2)]}
    values = Result({"t": Table("T", [row])}).to_json()
    assert json.dumps(values["tables"]) == '{"t": [{"a": 0.5, "b": 3, "c": [null, [1, 2]]}]}'


def test_iterations_follow_the_budget():
    settings = Settings(out=None, scale=0.25)
    assert [settings.iterations(n) for n in (400, 2, 1)] == [100, 1, 1]


class Colours(nn.Module):
    """Scores from colours alone."""

    def __init__(self, generator):
        self.score = nn.Conv2d(3, 2, 1, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(x)


def red_or_not(iteration):
    images = np.random.default_rng(iteration).standard_normal((4, 3, 5, 6)).astype(np.float32)
    return images, (images[:, 0] > 0).astype(np.int64)


def test_fit_learns_and_gives_the_same_bits_again():
    losses = []
    for _ in range(2):
        model = Colours(np.random.default_rng(0))
        losses.append(fit(model, red_or_not, iterations=60, lr=0.1))
        assert not model.score.training
    assert losses[0] == losses[1]
    assert len(losses[0]) == 60
    assert np.mean(losses[0][-5:]) < 0.5 * losses[0][0]


def test_fit_names_a_loss_that_is_not_finite():
    model = Colours(np.random.default_rng(0))
    model.score.bias.data[...] = np.nan
    with pytest.raises(FloatingPointError, match="loss is nan"):
        fit(model, red_or_not, iterations=3)
