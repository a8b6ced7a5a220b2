"""Pages without a browser: their size, texts, code and calls; the command and the notebook."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import minifcn
from minifcn import functional as F
from minifcn import kernels
from minifcn.explain import OPERATIONS, explain, make_page, page
from minifcn.explain.cases import draw_cases
from minifcn.kernels import reference
from minifcn.metrics import ConfusionMatrix
from minifcn.tensor import Tensor

SCRIPTS = {name: (page._PAGE / name).read_text(encoding="utf-8") for name in page._SCRIPTS}
HTML = (page._PAGE / "page.html").read_text(encoding="utf-8")
TEXTS = json.loads((page._PAGE / "texts.json").read_text(encoding="utf-8"))


def data_of(html):
    """The JSON that a page has."""
    return json.loads(re.search(r'<script[^>]*id="data">(.*?)</script>', html, re.DOTALL).group(1))


@pytest.mark.parametrize("operations", [(), *[(name,) for name in OPERATIONS]])
def test_a_page_is_one_small_file(operations):
    html = make_page(operations)
    assert len(html.encode()) <= 150 * 1024
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|<link|<img", html)
    assert "@STYLE@" not in html
    assert html.count("</script>") == 2
    data = data_of(html)
    assert tuple(data["operations"]) == (operations or tuple(OPERATIONS))
    assert data["version"] == minifcn.__version__
    assert {case["operation"] for case in data["cases"]} == set(data["operations"])


def test_all_scripts_are_in_the_page():
    others = {"microscope.js", "microscope_view.js"}  # test_microscope.py has these
    assert {path.name for path in page._PAGE.glob("*.js")} == set(SCRIPTS) | others
    for name, script in SCRIPTS.items():
        assert script in make_page(["iou"]), name


# -- Texts ---------------------------------------------------------------------------------------


def keys_used():
    """The keys of texts that scripts and the page name."""
    script = "\n".join(SCRIPTS.values())
    used = set(re.findall(r'\btext\("(\w+)"', script)) | set(re.findall(r'Unfit\("(\w+)"', script))
    used |= set(re.findall(r'\breturn "(paste_\w+)"', script))
    used |= set(re.findall(r'data-(?:text|title)="(\w+)"', HTML))
    used |= set(re.findall(r'toggle\("\w+", "\w+", "(\w+)"\)', script))
    used |= set(re.findall(r"data\.texts\.(\w+)", script))
    used |= set(re.findall(r'fits\([^;]*?"(no_\w+)"\)', script, re.DOTALL))
    used |= {f"role_{role}" for role in re.findall(r'role: "(\w+)"', SCRIPTS["stories.js"])}
    for name, operation in OPERATIONS.items():
        used |= {f"name_{name}", f"idea_{name}"}
        used |= {f"view_{view}" for view in operation.views if view}
    return (
        used
        | set(re.findall(r'text\(\w+ \? "(\w+)"', script))
        | set(re.findall(r'text\(\w+ \? "\w+" : "(\w+)"', script))
    )


def test_every_text_is_there_and_used():
    assert keys_used() == set(TEXTS)


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_is_in_both_languages(key):
    assert set(TEXTS[key]) == {"en", "ko"}
    english, korean = TEXTS[key]["en"], TEXTS[key]["ko"]
    assert english.strip()
    assert korean.strip()
    places = lambda line: sorted(re.findall(r"\{\w+\}", line))
    assert places(english) == places(korean)


@pytest.mark.parametrize("name", OPERATIONS)
def test_presets_are_named_and_settings_have_controls(name):
    about = data_of(make_page([name]))["about"][name]
    for preset in about["presets"]:
        assert set(preset["name"]) == {"en", "ko"}
        assert set(preset["settings"]) <= set(about["settings"])
        for array in preset.get("arrays", {}).values():
            assert np.prod(array["shape"]) == len(array["data"])


# -- Code and calls --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "iou"])
def test_code_is_that_of_the_reference(name):
    own = Path(reference.__file__).read_text(encoding="utf-8").splitlines()
    operation = OPERATIONS[name].as_json()
    for direction in ("forward", "backward"):
        for code in operation["code"][direction]:
            assert set(code["lines"]) <= set(own)
            assert code["marked"]
            assert all(0 <= line < len(code["lines"]) for line in code["marked"])


def call(name, library, settings):
    """A call with settings filled in, as view.js does."""
    template = getattr(OPERATIONS[name], library)
    if isinstance(template, dict):
        template = template[settings["way"]]
    fill = lambda key: {
        "align_corners": None if settings.get("mode") == "nearest" else settings.get(key)
    }.get(key, tuple(v) if isinstance(v := settings[key], list) else v)
    return re.sub(r"\{(\w+)\}", lambda found: str(fill(found.group(1))), template)


def arguments(name, case):
    """The arrays of a case by the names that calls have for them, and what has to come out."""
    if name == "cross_entropy":
        given = {"scores": np.array(case["scores"]), "label": np.array([case["label"]])}
        return given, {"loss": np.array(case["results"][0])}
    s, numbers = case["settings"], {key: np.array(v) for key, v in case["given"].items()}
    shape = (1, s["channels"], *s["size"])
    turned = name in ("conv_transpose2d", "max_unpool2d")
    wanted = np.array(case["y"]).reshape((1, *case["shape"]))
    if name in ("im2col", "col2im"):
        x = numbers["x"] if name == "im2col" else wanted
        out = kernels.im2col(
            x.reshape(shape), s["kernel"], s["stride"], s["padding"], s["dilation"]
        )
        if name == "im2col":
            return {"x": x.reshape(shape)}, {"columns": wanted.reshape(out.shape)}
        return {"columns": numbers["x"].reshape(out.shape)}, {"x": wanted}
    given = {"y" if turned else "x": numbers["x"].reshape(shape)}
    if "weight" in numbers:
        f, c, g = s["filters"], s["channels"], s.get("groups", 1)
        first, second = (c, f // g) if turned else (f, c // g)
        given["weight"] = numbers["weight"].reshape((first, second, *s.get("kernel", ())))
    if "indices" in numbers:
        given["indices"] = numbers["indices"].reshape(shape)
    if s.get("way") == "nails":
        given["nail"] = np.zeros(s["kernel"])
        given["nail"][0, 0] = 1
    return given, {"x" if turned else "y": wanted}


WITH_CALLS = [name for name in OPERATIONS if name != "iou"]


@pytest.mark.parametrize("name", WITH_CALLS)
def test_the_shown_calls_of_minifcn_run(name):
    for case in draw_cases(name, 30, seed=9):
        given, wanted = arguments(name, case)
        settings = case.get("settings", {"classes": len(case.get("scores", ()))})
        if name in ("im2col", "col2im") or settings.get("way") == "nails":
            names = dict(given)
        else:
            tensors = lambda key, array: array if key == "label" else Tensor(array)
            names = {key: tensors(key, array) for key, array in given.items()}
        exec(call(name, "minifcn", settings), names)
        for key, array in wanted.items():
            found = names[key] if isinstance(names[key], np.ndarray) else names[key].numpy()
            np.testing.assert_allclose(found, array, atol=1e-12, err_msg=str(settings))


@pytest.mark.oracle
@pytest.mark.parametrize("name", WITH_CALLS)
def test_the_shown_calls_of_pytorch_run(name):
    torch = pytest.importorskip("torch")
    for case in draw_cases(name, 30, seed=9):
        given, wanted = arguments(name, case)
        settings = case.get("settings", {"classes": len(case.get("scores", ()))})
        if settings.get("way") == "switches" and len(set(given["indices"].ravel())) < len(
            given["indices"].ravel()
        ):
            continue  # duplicates: minifcn adds them, PyTorch keeps one of them
        if name == "col2im":
            n, c, kh, kw, oh, ow = given["columns"].shape
            given = {"columns": given["columns"].reshape((n, c * kh * kw, oh * ow))}
        names = {key: torch.from_numpy(array.copy()) for key, array in given.items()}
        exec(call(name, "torch", settings), names)
        for key, array in wanted.items():
            found = names[key].numpy()
            np.testing.assert_allclose(found.reshape(array.shape), array, atol=1e-12)


def test_the_shown_call_of_iou_runs():
    generator = np.random.default_rng(4)
    truth, prediction = generator.integers(0, 3, (2, 5, 6))
    names = {"truth": truth, "prediction": prediction}
    exec(call("iou", "minifcn", {"classes": 3}), names)
    expected = ConfusionMatrix(3)
    expected.update(truth, prediction)
    assert names["matrix"].mean_iu == expected.mean_iu
    assert call("iou", "minifcn", {"classes": 3}).endswith("matrix.mean_iu")


# -- The command -----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [None, "max_pool2d"])
def test_the_command_writes_a_page(operation, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("explain", *filter(None, [operation]))
    name = f"minifcn-{operation or 'explain'}.html"
    assert (result.code or 0, result.out) == (0, f"{name}\n")
    assert data_of((tmp_path / name).read_text(encoding="utf-8"))["operations"] == (
        [operation] if operation else list(OPERATIONS)
    )


def test_the_command_writes_where_it_is_told_and_opens(cli, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    path = tmp_path / "a page.html"
    result = cli("explain", "iou", "--out", path, "--open")
    assert (result.code or 0, result.out, result.err) == (0, f"{path}\n", "")
    assert opened == [path.as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert "no browser was found" in cli("explain", "iou", "--out", path, "--open").err


def test_the_command_refuses(refused, cli, tmp_path):
    result = cli("explain", "conv3d")
    assert result.code == 2
    assert "conv3d" in result.err
    refused("explain", "iou", "--out", tmp_path / "missing" / "page.html")
    (tmp_path / "file").write_text("")
    refused("explain", "iou", "--out", tmp_path / "file" / "page.html")
    refused("explain", "iou", "--out", tmp_path)


# -- In a notebook ---------------------------------------------------------------------------------


def given_to(shown):
    return data_of(shown.page)["given"]


def test_a_notebook_embeds_arrays_and_settings():
    x, weight = np.arange(24.0).reshape(2, 3, 4), np.ones((4, 1, 2, 3))
    given = given_to(explain("conv2d", x, weight, stride=(2, 1), groups=2))
    assert given["settings"] == {"channels": 2, "size": [3, 4], "filters": 4, "kernel": [2, 3],
                                 "stride": [2, 1], "groups": 2}  # fmt: skip
    assert given["arrays"]["x"] == {"shape": [2, 3, 4], "data": list(range(24))}
    assert given["arrays"]["weight"]["shape"] == [4, 1, 2, 3]


@pytest.mark.parametrize(
    ("operation", "arrays", "shapes"),
    [
        ("max_pool2d", [np.ones((3, 4))], {"x": [1, 3, 4]}),
        ("max_pool2d", [np.ones((1, 2, 3, 4))], {"x": [2, 3, 4]}),
        ("interpolate", [[[1, 2], [3, 4]]], {"x": [1, 2, 2]}),
        ("conv1x1", [np.ones((3, 2, 2)), np.ones((2, 3))], {"x": [3, 2, 2], "weight": [2, 3]}),
        ("cross_entropy", [[1.0, 2, 3]], {"scores": [1, 1, 3]}),
        ("iou", [np.eye(4, dtype=int)], {"matrix": [1, 4, 4]}),
        ("max_unpool2d", [np.ones((2, 2)), np.zeros((2, 2), int)],
         {"x": [1, 2, 2], "indices": [1, 2, 2]}),
        ("conv2d", [Tensor(np.ones((1, 1, 3, 3)))], {"x": [1, 3, 3]}),
        ("conv_transpose2d", [], {}),
    ],
)  # fmt: skip
def test_a_notebook_takes_arrays_of_these_shapes(operation, arrays, shapes):
    found = given_to(explain(operation, *arrays))["arrays"]
    assert {key: array["shape"] for key, array in found.items()} == shapes


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "said"),
    [
        (["conv3d"], {}, ValueError, "operation must be one of conv2d"),
        (["conv2d"], {"strides": 2}, ValueError, "strides"),
        (["conv2d"], {"stride": (1, 2, 3)}, ValueError, "stride must be"),
        (["conv2d"], {"stride": 1.5}, (TypeError, ValueError), "stride must be"),
        (["conv2d", np.ones((5, 4, 4))], {}, ValueError, "of at most 4 x 12 x 12"),
        (["conv2d", np.ones((13, 4))], {}, ValueError, "of at most 4 x 12 x 12"),
        (["conv2d", np.ones((2, 1, 4, 4))], {}, ValueError, "x must be"),
        (["conv2d", [["a"]]], {}, TypeError, "x must hold numbers"),
        (["conv2d", np.ones((1, 4, 4)), np.ones((3, 3))], {}, ValueError, "weight must be"),
        (["conv2d", np.ones((1, 4, 4)), np.ones((1, 2, 3, 3))], {}, ValueError, "weight"),
        (["conv2d", np.ones((1, 4, 4)), np.ones((1, 1, 6, 6))], {}, ValueError, "weight|kernel"),
        (["conv2d", np.ones((1, 4, 4)), np.ones((1, 1, 3, 3)), 3], {}, ValueError, "2 arrays"),
        (["conv2d", np.full((2, 2), np.nan)], {}, ValueError, "finite"),
        (["conv2d"], {"stride": 9}, ValueError, "stride"),
        (["conv2d", np.ones((4, 4))], {"size": (3, 3)}, ValueError, "x must be"),
        (["iou", np.ones((2, 3))], {}, ValueError, r"matrix must be \(C, C\)"),
        (["iou", np.ones((7, 7))], {}, ValueError, "matrix"),
        (["cross_entropy", np.ones(7)], {}, ValueError, "scores"),
        (["cross_entropy", np.ones(3)], {"label": 3}, ValueError, "label"),
        (["max_unpool2d", np.ones((2, 2)), np.full((2, 2), 16)], {}, ValueError, "indices"),
        (["max_unpool2d", np.ones((2, 2)), np.ones((2, 3), int)], {}, ValueError, "indices"),
        (["interpolate"], {"mode": "cubic"}, ValueError, "mode"),
    ],
)  # fmt: skip
def test_a_notebook_refuses_what_does_not_fit(arguments, settings, error, said):
    with pytest.raises(error, match=said):
        explain(*arguments, **settings)


def test_a_notebook_shows_a_frame():
    frame = explain("iou")._repr_html_()
    assert frame.startswith("<iframe ")
    assert frame.count('"') == 10  # nothing in the page ends the attribute
    assert "title=" in frame


def test_results_of_a_notebooks_arrays_are_the_operations():
    """The arrays reach the page as the operation takes them: no number is changed on the way."""
    x = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    data = given_to(explain("interpolate", x))["arrays"]["x"]["data"]
    again = np.array(data, dtype=np.float32).reshape((1, 2, 3, 3))
    assert (F.interpolate(Tensor(again), size=(5, 5)).numpy() ==
            F.interpolate(Tensor(x[None]), size=(5, 5)).numpy()).all()  # fmt: skip
