"""Semantic against instance masks: what each panel shows, and where the names stand."""

import numpy as np
import pytest

from minifcn.data.palettes import default_palette
from minifcn.plots.instances import plot_instances

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 9, 3), np.uint8)
OBJECTS = np.zeros((4, 9), np.int64)
OBJECTS[:3, :3], OBJECTS[:3, 6:], OBJECTS[3] = 1, 2, 3
CLASSES = np.array([0, 1, 1, 2])[OBJECTS]
CLASS_NAMES = ["background", "disc", "line"]
OBJECT_NAMES = ["background", "disc 1", "disc 2", "line"]


def draw(path, **changed):
    arguments = {
        "image": IMAGE, "classes": CLASSES, "objects": OBJECTS,
        "class_names": CLASS_NAMES, "object_names": OBJECT_NAMES,
    }  # fmt: skip
    plot_instances(path, **{**arguments, **changed})


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def test_the_two_discs_have_one_colour_as_a_class_and_two_as_objects(tmp_path, drawn):
    draw(tmp_path / "a.png")
    image, classes, objects = drawn[0].axes
    assert (shown(image) == IMAGE).all()
    colours = default_palette(6)
    assert (shown(classes) == colours[CLASSES]).all()
    assert (shown(objects) == colours[np.array([0, 3, 4, 5])[OBJECTS]]).all()


def test_each_name_stands_amid_its_pixels(tmp_path, drawn):
    draw(tmp_path / "a.png")
    _, classes, objects = drawn[0].axes
    places = {text.get_text(): text.get_position() for text in classes.texts}
    assert places == {"disc": (4, 1), "line": (4, 3)}
    places = {text.get_text(): text.get_position() for text in objects.texts}
    assert places == {"disc 1": (1, 1), "disc 2": (7, 1), "line": (4, 3)}


def test_an_object_that_is_hidden_has_no_name(tmp_path, drawn):
    draw(tmp_path / "a.svg", objects=np.where(OBJECTS == 2, 0, OBJECTS))
    assert [text.get_text() for text in drawn[0].axes[2].texts] == ["disc 1", "line"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"objects": OBJECTS[:3]}, "objects must have the image's shape"),
        ({"classes": OBJECTS}, r"classes labels must be 0 \.\. 2"),
        ({"image": IMAGE[..., 0]}, "image must have shape"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changed, message):
    with pytest.raises(ValueError, match=message):
        draw(tmp_path / "a.png", **changed)
