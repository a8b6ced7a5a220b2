"""minifcn bench: what it asks of the benchmark, and how it shows what comes back."""

import json

import pytest
from PIL import Image

from minifcn import machine
from minifcn.bench import PARTS, format_table

ROW = {"name": "conv2d 3x3", "gflop": 0.5, "megabytes": None, "minifcn_ms": 5.0, "torch_ms": 4.0,
       "limit_ms": 2.0, "ratio": 1.25}  # fmt: skip
RESULTS = {
    "environment": {"minifcn": "0.1.0", "threads": 2},
    "sides": {},
    "notes": [],
    "rows": [ROW],
    "memory": [{"name": "step", "minifcn_bytes": 2**20, "torch_bytes": 2**21, "ratio": 0.5}],
}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Nothing in the environment decides for the matrix library."""
    for name in machine.OVERRIDES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def asked(monkeypatch):
    """What the benchmark is asked for; it answers with RESULTS at once."""
    calls = []

    def compare(against, part, threads, rounds, track, device):
        assert list(track(["a", "b"])) == ["a", "b"]
        calls.append((against, part, threads, rounds, device))
        return RESULTS

    monkeypatch.setattr("minifcn.bench.compare", compare)
    return calls


@pytest.fixture
def no_process(monkeypatch):
    """Nothing is started."""

    def start(*arguments, **options):
        raise AssertionError(f"{arguments} was started")

    monkeypatch.setattr("subprocess.Popen", start)


def test_bench_prints_a_table(cli, asked):
    assert cli("bench") == (0, format_table(RESULTS) + "\n", "")
    assert asked == [(None, "all", None, 5, "cpu")]


def test_options_are_passed_on(cli, asked):
    options = ("--against", "torch", "--threads", "3", "--rounds", "2", "--device", "cuda")
    for part in PARTS:
        assert cli("bench", part, *options).code == 0
    assert asked == [("torch", part, 3, 2, "cuda") for part in PARTS]


def test_bench_json_is_all_that_is_printed(cli, asked):
    result = cli("bench", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == RESULTS


@pytest.mark.parametrize("options", [(), ("--json",), ("network", "--against", "torch")])
def test_bench_warns_once_where_something_decides_for_numpy(cli, asked, monkeypatch, options):
    plain = cli("bench", *options)
    assert plain.err == ""
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "AVX512F")
    warned = cli("bench", *options)
    assert (warned.code, warned.out) == (0, plain.out)
    assert warned.err == f"warning: {machine.warning('minifcn bench')}\n"
    assert "NPY_DISABLE_CPU_FEATURES=AVX512F" in warned.err
    assert cli("bench", *options, "--device", "cuda").err == ""  # which computes without them


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_bench_draws_what_it_prints(cli, asked, tmp_path, options):
    printed = cli("bench", *options).out
    path = tmp_path / "speeds.png"
    assert cli("bench", *options, "--plot", path) == (0, printed, "")
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
    assert [file.name for file in tmp_path.iterdir()] == ["speeds.png"]


def test_without_plot_nothing_is_written(cli, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("bench").code == 0
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_saved_is_one_line_after_the_table(cli, asked, tmp_path):
    path = tmp_path / "folder.png"
    path.mkdir()
    code, out, err = cli("bench", "--plot", path)
    assert (code, out) == (2, format_table(RESULTS) + "\n")
    assert err.startswith("minifcn: ")
    assert err.count("\n") == 1


OPTIONS = {
    "part": (["step"], "argument part: invalid choice: 'step'"),
    "against": (["--against", "jax"], "argument --against: invalid choice: 'jax'"),
    "device": (["--device", "auto"], "argument --device: invalid choice: 'auto'"),
    "threads 0": (["--threads", "0"], "threads must be at least 1; got 0"),
    "threads -1": (["--threads", "-1"], "threads must be at least 1; got -1"),
    "threads word": (["--threads", "x"], "argument --threads: invalid int value: 'x'"),
    "rounds 0": (["--rounds", "0"], "rounds must be at least 1; got 0"),
    "rounds word": (["--rounds", "x"], "argument --rounds: invalid int value: 'x'"),
    "rounds 1.5": (["--rounds", "1.5"], "argument --rounds: invalid int value: '1.5'"),
    "plot jpg": (["--plot", "x.jpg"], "path must end in .png or .svg, got 'x.jpg'"),
    "plot nowhere": (
        ["--plot", "nosuchfolder/x.png"],
        "path must lie in an existing folder, got 'nosuchfolder/x.png'",
    ),
    "too many": (["network", "kernels"], "unrecognized arguments: kernels"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_wrong_options_of_bench(refused, no_process, tmp_path, monkeypatch, case):
    arguments, message = OPTIONS[case]
    monkeypatch.chdir(tmp_path)
    assert message in refused("bench", *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["x.jpg", "nosuchfolder/x.png"])
def test_a_wrong_path_is_refused_before_any_work(refused, asked, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    refused("bench", "--plot", path)
    assert not asked


def test_bench_against_pytorch_where_it_is_not_installed(refused, no_process, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "PyTorch is not installed" in refused("bench", "--against", "torch")


def test_bench_on_a_gpu_that_is_not_there(refused, no_process, monkeypatch):
    monkeypatch.setattr("minifcn.backend.why_no_gpu", lambda: "there is none")
    error = refused("bench", "--device", "cuda")
    assert error == "minifcn: device 'cuda' cannot be used: there is none\n"


def test_bench_on_a_gpu_that_is_ruled_out(refused, no_process, monkeypatch):
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    assert "MINIFCN_BACKEND=numpy" in refused("bench", "--device", "cuda", "network")


def test_bench_interrupted(cli, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("minifcn.bench.compare", interrupt)
    assert cli("bench") == (130, "", "minifcn: interrupted\n")


def test_bench_whose_worker_died(cli, monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError("a process of the benchmark ended early; is there enough memory?")

    monkeypatch.setattr("minifcn.bench.compare", fail)
    code, out, err = cli("bench")
    assert (code, out) == (1, "")
    assert err == "minifcn: a process of the benchmark ended early; is there enough memory?\n"


def test_help_of_bench(cli):
    result = cli("bench", "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("usage: minifcn bench")
    assert all(part in result.out for part in PARTS)
