"""One colour a class in every picture that shows classes, and not a speck of another one."""

import numpy as np
import pytest
from PIL import Image

from minifcn.data import Shapes
from minifcn.data.images import write_mask
from minifcn.experiments.classifier.pictures import plot_class_maps, plot_localisation
from minifcn.experiments.upsampling.pictures import Row, plot_decoders
from minifcn.plots import colour_mask, overlay, plot_iou, plot_predictions
from minifcn.plots.skips import plot_contributions, plot_strides
from minifcn.plots.window_maps import plot_window_maps
from minifcn.runs import report

CLASSES, PALETTE, SIZE = Shapes.classes, Shapes.palette, 96
MASK = np.repeat(np.arange(6, dtype=np.uint8), SIZE // 6)[:, None].repeat(SIZE, axis=1)  # stripes
OTHER = MASK[::-1].copy()
IMAGE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)

LOGITS = (np.arange(6)[:, None, None] == OTHER).astype(float)


def scores(count, size=SIZE):
    return np.random.default_rng(1).random((count, size, size))


PICTURES = {
    "predictions": lambda p: plot_predictions(p, [(IMAGE, MASK, OTHER)], CLASSES, PALETTE),
    "strides": lambda p: plot_strides(
        p, [IMAGE], {"truth": [MASK], "a": [OTHER]}, CLASSES, PALETTE
    ),
    "one object": lambda p: plot_localisation(
        p, [(IMAGE, scores(1)[0], MASK, OTHER, MASK)], CLASSES, PALETTE
    ),
    "class maps": lambda p: plot_class_maps(p, IMAGE, scores(5), OTHER, MASK, CLASSES, PALETTE),
    "window maps": lambda p: plot_window_maps(
        p, IMAGE, scores(6, 17) / 10, MASK, CLASSES, PALETTE, window=32, stride=4
    ),
    "decoders": lambda p: plot_decoders(
        p, IMAGE, MASK, [Row("a decoder", "0.5", scores(6), LOGITS)], CLASSES, PALETTE
    ),
}
MASKS_SHOWN = {"predictions": 2, "strides": 2, "one object": 3, "class maps": 2, "window maps": 1,
               "decoders": 2}  # fmt: skip


def masks_of(figure):
    """The axes that show one of the masks in its colours, whole, and the mask."""
    for axes in figure.axes:
        for picture in axes.images:
            shown = np.asarray(picture.get_array())
            for mask in (MASK, OTHER):
                if shown.shape[:2] == mask.shape and shown.ndim == 3:
                    same = (shown[..., :3] == colour_mask(mask, PALETTE)).all()
                    if same and axes.get_xlim() == (-0.5, SIZE - 0.5):
                        yield axes, mask


@pytest.mark.parametrize("name", PICTURES)
def test_masks_have_the_colours_of_their_classes_in_the_file_too(name, tmp_path, drawn):
    path = tmp_path / "a.png"
    PICTURES[name](path)
    with Image.open(path) as picture:
        assert picture.mode == "RGBA"  # true colours: a palette of 256 would leave specks
        pixels = np.asarray(picture.convert("RGB"))
    found = list(masks_of(drawn[0]))
    assert len(found) >= MASKS_SHOWN[name]
    for axes, mask in found:
        for stripe in range(6):  # its inner half, right of the frames that mark a part
            middle = stripe * 16 + 8
            corners = axes.transData.transform([(68, middle + 4), (92, middle - 4)])
            (left, bottom), (right, top) = corners.round().astype(int)
            height = pixels.shape[0]
            flat = pixels[height - top : height - bottom, left:right].reshape(-1, 3)
            assert len(flat) > 50
            assert (np.unique(flat, axis=0) == PALETTE[mask[middle, 0]]).all()


@pytest.mark.parametrize("name", PICTURES)
def test_the_legend_has_the_same_colours(name, tmp_path, drawn):
    PICTURES[name](tmp_path / "a.png")
    swatches = {
        text.get_text(): patch.get_facecolor()[:3]
        for legend in drawn[0].legends
        for text, patch in zip(legend.get_texts(), legend.legend_handles, strict=True)
        if text.get_text() in CLASSES
    }
    assert list(swatches) == list(CLASSES)
    np.testing.assert_allclose(list(swatches.values()), PALETTE / 255)


def test_bars_of_iu(tmp_path, drawn):
    plot_iou(tmp_path / "a.png", dict.fromkeys(CLASSES, 0.5), 0.5, 0.1, PALETTE)
    bars = drawn[0].axes[0].patches
    np.testing.assert_allclose([bar.get_facecolor()[:3] for bar in bars], PALETTE / 255)


@pytest.mark.parametrize("label", [1, 3, 5])
def test_the_class_whose_score_is_taken_apart(label, tmp_path, drawn):
    terms, pixels, truth = {"top": scores(1)[0]}, {"here": (40, 40)}, np.isin(MASK, label)
    plot_contributions(tmp_path / "a.png", IMAGE, truth, terms, pixels, "it", PALETTE[label])
    (panel,) = [axes for axes in drawn[0].axes if axes.get_title() == "truth: it"]
    shown = np.asarray(panel.images[0].get_array())
    assert (shown[truth] == PALETTE[label]).all()
    assert (shown[~truth] == 255).all()


def test_masks_and_overlays_that_are_written(tmp_path):
    write_mask(tmp_path / "mask.png", MASK, PALETTE)
    with Image.open(tmp_path / "mask.png") as picture:
        assert (np.asarray(picture.convert("RGB")) == PALETTE[MASK]).all()
    tinted = overlay(np.full_like(IMAGE, 128), MASK, PALETTE, alpha=1).astype(float)
    wanted = PALETTE[MASK].astype(float)  # an overlay keeps the photo's brightness: compare tints
    for picture in (tinted, wanted):
        picture -= (picture @ [0.299, 0.587, 0.114])[..., np.newaxis]
    along = (tinted * wanted).sum(-1)
    lengths = np.linalg.norm(tinted, axis=-1) * np.linalg.norm(wanted, axis=-1)
    assert (along >= 0.99 * lengths).all()


def test_a_run_draws_all_its_pictures_with_the_colours_of_its_data(run_folder, monkeypatch):
    given = {}
    for name in ("plot_iou", "plot_predictions"):
        monkeypatch.setattr(
            report.plots, name, lambda *arguments, name=name: given.update({name: arguments[-1]})
        )
    report.write_report(run_folder, Shapes("val", 4, size=(32, 32)))
    assert set(given) == {"plot_iou", "plot_predictions"}
    assert all((palette == PALETTE).all() for palette in given.values())
