import re
import weakref
import zlib

import numpy as np
import pytest
from PIL import Image
from small_runs import mask_of, spoiled

from minifcn import plots
from minifcn.data import Shapes
from minifcn.data.images import read_image
from minifcn.data.labels import read_mask
from minifcn.runs import prediction
from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.runs.prediction import predict_files
from minifcn.runs.steps import predict
from minifcn.system.files import load_arrays, save_arrays

CLASSES = 6
SPEED = re.compile(
    r"1 image in ([\d.]+) s, [\d.e+]+ a second: ([\d.]+) s for the network,"
    r" ([\d.]+) s to read, resize and write\n"
)
"""All that `predict` has to say of one image, on stderr."""


def write(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def draw(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


PICTURES = {
    "1x1": (lambda: Image.fromarray(draw(1, 1, 3)), "PNG"),
    "700x500": (lambda: Image.fromarray(draw(500, 700, 3)), "JPEG"),
    "tall": (lambda: Image.fromarray(draw(97, 3, 3)), "BMP"),
    "grey": (lambda: Image.fromarray(draw(20, 30)), "PNG"),
    "RGBA": (lambda: Image.fromarray(draw(20, 30, 4)), "PNG"),
    "palette": (lambda: Image.fromarray(draw(20, 30, 3)).quantize(8), "PNG"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_any_picture_gets_a_mask_of_its_size(cli, finished_run, tmp_path, name):
    make, suffix = PICTURES[name]
    picture = make()
    image = write(tmp_path / f"a photo.{suffix.lower()}", picture)
    result = cli("predict", finished_run, image, "--out", tmp_path / "out")
    assert result.code == 0
    assert SPEED.fullmatch(result.err)
    written = [tmp_path / "out" / f"a photo-{kind}.png" for kind in ("mask", "overlay")]
    assert result.out.splitlines() == [str(path) for path in written]
    assert sorted((tmp_path / "out").iterdir()) == written
    mask = read_mask(written[0])
    assert (mask.shape, mask.dtype) == (picture.size[::-1], np.uint8)
    assert mask.max() < CLASSES
    assert read_image(written[1]).shape == (*mask.shape, 3)


@pytest.fixture
def opinionated_run(run_folder):
    """A run whose network, with random scores, predicts many classes."""
    path, generator = run_folder / "best.safetensors", np.random.default_rng(0)
    arrays, metadata = load_arrays(path)
    for name, array in arrays.items():
        if name.startswith("score") and name.endswith("weight"):
            array[...] = generator.standard_normal(array.shape)
    save_arrays(path, arrays, metadata)
    return run_folder


def test_the_files_hold_what_the_network_says(cli, opinionated_run, tmp_path):
    scene, _ = Shapes("test", size=(48, 40))[0]
    image = write(tmp_path / "scene.png", Image.fromarray(scene))
    assert cli("predict", opinionated_run, image, "--out", tmp_path).code == 0
    mask = read_mask(tmp_path / "scene-mask.png")
    config, model = load_model(opinionated_run)
    np.testing.assert_array_equal(mask, mask_of(model, scene, config.size))
    assert len(np.unique(mask)) > 1
    overlay = read_image(tmp_path / "scene-overlay.png")
    np.testing.assert_array_equal(overlay, plots.overlay(scene, mask, config.palette))
    with Image.open(tmp_path / "scene-mask.png") as picture:
        assert picture.mode == "P"
        colours = np.array(picture.getpalette()).reshape(-1, 3)
    np.testing.assert_array_equal(colours[:CLASSES], config.palette)


def test_an_image_of_the_runs_size_is_not_resized(opinionated_run):
    config, model = load_model(opinionated_run)
    scene, _ = Shapes("test", size=config.size)[3]
    expected = predict(model, [scene])[0]
    np.testing.assert_array_equal(mask_of(model, scene, config.size), expected)


def test_other_weights_and_several_images(cli, finished_run, tmp_path):
    images = [write(tmp_path / f"{i}.png", Image.fromarray(draw(9, 9, 3, seed=i))) for i in (1, 2)]
    out = tmp_path / "new" / "folder"
    result = cli("predict", finished_run, *images, "--out", out, "--checkpoint", "last")
    assert result.code == 0
    names = ["1-mask.png", "1-overlay.png", "2-mask.png", "2-overlay.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert len(result.out.splitlines()) == 4


def test_a_run_without_its_data_still_predicts(cli, run_folder, tmp_path):
    config = Config.load(run_folder / "config.json")
    text = config.to_json("0.1.0").replace('"data": "shapes"', '"data": "gone/away"')
    (run_folder / "config.json").write_text(text)
    image = write(tmp_path / "a.png", Image.fromarray(draw(5, 5, 3)))
    assert cli("predict", run_folder, image, "--out", tmp_path).code == 0


def test_a_folder_and_a_pattern_stand_for_the_images_in_them(cli, finished_run, tmp_path):
    photos = tmp_path / "photos [1]"
    for name in ("b.png", "a.JPG", "c.bmp"):
        write(photos / name, Image.fromarray(draw(5, 5, 3)))
    (photos / "notes.txt").touch()
    expected = [f"{stem}-{kind}.png" for stem in "abc" for kind in ("mask", "overlay")]
    for i, images in enumerate(([photos], [tmp_path / "*" / "[ab].*", photos / "c.bmp"])):
        out = tmp_path / f"out{i}"
        assert cli("predict", finished_run, *images, "--out", out).code == 0
        assert sorted(path.name for path in out.iterdir()) == expected


def test_hidden_files_are_no_images_and_others_are_said(cli, finished_run, tmp_path):
    write(tmp_path / "photos" / "a.png", Image.fromarray(draw(5, 5, 3)))
    (tmp_path / "photos/._a.png").write_bytes(b"left behind by macOS")
    (tmp_path / "photos/b.heic").touch()
    result = cli("predict", finished_run, tmp_path / "photos", "--out", tmp_path / "out")
    assert result.code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a-mask.png", "a-overlay.png"]
    assert "1 that are no samples ('b.heic')" in result.err


def test_a_name_with_the_letters_of_a_pattern_is_a_name(cli, finished_run, tmp_path):
    image = write(tmp_path / "a[1]*.png", Image.fromarray(draw(5, 5, 3)))
    assert cli("predict", finished_run, image, "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "a[1]*-mask.png").exists()


def test_one_image_at_a_time_is_held(finished_run, tmp_path, monkeypatch):
    """Each is checked before any file is written, and read for its own results."""
    images = [write(tmp_path / f"{i}.png", Image.fromarray(draw(9, 9, 3))) for i in range(5)]
    pictures, alive = [], []

    def read(path):
        picture = read_image(path)
        pictures.append(weakref.ref(picture))
        alive.append(sum(picture() is not None for picture in pictures))
        return picture

    monkeypatch.setattr(prediction, "read_image", read)
    assert len(list(predict_files(finished_run, images, tmp_path / "out"))) == 10
    assert (len(alive), max(alive)) == (5, 2)  # two, while the next one takes the name of the last


def test_an_image_that_is_damaged_meanwhile_costs_no_other(finished_run, tmp_path):
    images = [write(tmp_path / f"{i}.png", Image.fromarray(draw(50, 50, 3))) for i in range(3)]
    written = predict_files(finished_run, images, tmp_path / "out")
    next(written)
    truncated(images[1])
    with pytest.raises(ValueError, match=r"cannot read .*1\.png"):
        list(written)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"0-mask.png", "0-overlay.png"}


# -- Refused, before anything is written ---------------------------------------------------------


def bomb(path):
    """A PNG of a few bytes that says it is 60000x60000 pixels."""
    data = bytearray(write(path, Image.fromarray(draw(1, 1, 3))).read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(data)


def truncated(path):
    data = write(path, Image.fromarray(draw(50, 50, 3))).read_bytes()
    path.write_bytes(data[: len(data) // 2])


BAD_IMAGES = {
    "missing": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "a folder; expected an image file"),
    "empty": (lambda path: path.write_bytes(b""), "0 bytes; expected an image file"),
    "not an image": (lambda path: path.write_text("hello\n"), "not an image in one of the formats"),
    "truncated": (truncated, ""),
    "bomb": (bomb, "too many pixels"),
    "deep": (
        lambda path: write(path, Image.fromarray(np.full((4, 4), 1000, np.uint16))),
        "pixels of mode I;16; expected 8 bits a channel",
    ),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_image_stops_all_before_the_first_file(refused, finished_run, tmp_path, case):
    make, message = BAD_IMAGES[case]
    good, bad = write(tmp_path / "good.png", Image.fromarray(draw(4, 4, 3))), tmp_path / "bad.png"
    make(bad)
    line = refused("predict", finished_run, good, bad, "--out", tmp_path / "out")
    assert f"cannot read '{bad}': {message}" in line
    assert not (tmp_path / "out").exists()


def test_results_never_replace_an_input_or_each_other(refused, finished_run, tmp_path, contents):
    for name in ("a/x.png", "b/x.jpg", "x.png", "x-mask.png", "x-overlay.png"):
        write(tmp_path / name, Image.fromarray(draw(4, 4, 3)))
    (tmp_path / "link.png").symlink_to(tmp_path / "x-mask.png")
    before = contents(tmp_path)
    for first, second in (
        ("a/x.png", "b/x.jpg"),
        ("x.png", "x.png"),
        ("x.png", "x-mask.png"),
        ("x-overlay.png", "x.png"),
        ("link.png", "x.png"),
    ):
        images = tmp_path / first, tmp_path / second
        for out in (tmp_path, tmp_path / "a" / ".."):
            line = refused("predict", finished_run, *images, "--out", out)
            assert "would replace" in line, (first, second, out)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("first", "second"), [("a.jpg", "a.png"), ("one/a.png", "two/a.png")])
def test_two_images_of_one_name_are_both_named(refused, finished_run, tmp_path, first, second):
    images = [write(tmp_path / name, Image.fromarray(draw(4, 4, 3))) for name in (first, second)]
    line = refused("predict", finished_run, *images, "--out", tmp_path / "out")
    assert f"{images[1]}: its result {tmp_path / 'out' / 'a-mask.png'} would replace" in line
    assert f"that of {images[0]}; rename one" in line
    assert not (tmp_path / "out").exists()


def test_a_result_that_cannot_be_written(refused, finished_run, tmp_path):
    image = write(tmp_path / "x.png", Image.fromarray(draw(4, 4, 3)))
    line = refused("predict", finished_run, image, "--out", image)
    assert str(image) in line
    line = refused("predict", finished_run, image, "--out", image / "below")
    assert "Not a directory" in line
    (tmp_path / "out" / "x-mask.png").mkdir(parents=True)
    line = refused("predict", finished_run, image, "--out", tmp_path / "out")
    assert "x-mask.png: Is a directory" in line


def test_no_image_and_no_out(refused, finished_run, tmp_path):
    assert "required: IMAGE" in refused("predict", finished_run, "--out", tmp_path)
    assert "required: --out" in refused("predict", finished_run, "x.png")


def test_a_network_whose_scores_are_not_finite_predicts_nothing(cli, run_folder, tmp_path):
    path = run_folder / "best.safetensors"
    arrays, metadata = load_arrays(path)
    arrays["score_fr.bias"] = spoiled(arrays["score_fr.bias"], 3e38)
    arrays["score_pool4.bias"] = spoiled(arrays["score_pool4.bias"], 3e38)
    save_arrays(path, arrays, metadata)
    image = write(tmp_path / "x.png", Image.fromarray(draw(32, 32, 3)))
    result = cli("predict", run_folder, image, "--out", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert result.err == "minifcn: a score of the network is not finite\n"
    assert not list((tmp_path / "out").iterdir())
