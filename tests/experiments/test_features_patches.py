"""The patches that excite a unit: receptive fields, the strongest cells, how alike they are."""

import numpy as np
import pytest
from small_networks import small_fcn

from minifcn import Tensor, no_grad
from minifcn.experiments.features import patches
from minifcn.kernels.geometry import ReceptiveField

FIELD = ReceptiveField(size=10, stride=4, start=-3)


@pytest.fixture(scope="module")
def network():
    tiny = {"widths": (2, 3, 3, 3, 3), "depths": (1, 1, 2, 2, 1), "head_width": 4}
    return small_fcn(3, 8, **tiny, generator=np.random.default_rng(0)).eval()


def test_receptive_fields_of_the_default_network(network):
    """Each convolution adds 2 strides, each pooling 1; the stages' depths are 1, 1, 2, 2, 1."""
    fields = patches.fields_of(network)
    assert [field.size for field in fields] == [4, 10, 30, 70, 118]
    assert [field.stride for field in fields] == [2, 4, 8, 16, 32]
    for field in fields:  # centred on the pixels that the cell stands for
        assert 2 * field.start + field.size == field.stride


@pytest.mark.parametrize("stage", range(5))
def test_a_cell_sees_its_patch_and_nothing_else(network, stage):
    """Changing everything outside leaves the cell as it is; changing the inside does not."""
    field, side = patches.fields_of(network)[stage], 256
    cell = (side // field.stride) // 2
    x = np.random.default_rng(1).standard_normal((1, 3, side, side)).astype(np.float32)
    inside = patches.cut(np.ones((side, side), bool), field, cell, cell)
    assert inside.shape == (field.size, field.size)
    outside = np.ones((side, side), bool)
    patches.cut(outside, field, cell, cell)[...] = False

    def see(image):
        with no_grad():
            y = Tensor(image)
            for k in range(stage + 1):
                y = patches.stages_of(network)[k](y)
        return y.data[0, :, cell, cell]

    before = see(x)
    np.testing.assert_array_equal(see(np.where(outside, -x, x)), before)
    assert not np.array_equal(see(np.where(outside, x, -x)), before)


def test_cells_with_whole_receptive_fields_by_loops():
    for field, side in ((FIELD, 64), (ReceptiveField(118, 32, -43), 256), (FIELD, 11)):
        cells = side // field.stride
        whole = [
            c
            for c in range(cells)
            if field.start + field.stride * c >= 0
            and field.start + field.stride * c + field.size <= side
        ]
        assert patches.whole_cells(field, side) == (whole[0], whole[-1] + 1)
    with pytest.raises(ValueError, match="side must hold a receptive field of 118 pixels; got 96"):
        patches.whole_cells(ReceptiveField(118, 32, -43), 96)


def test_the_strongest_cells_by_loops():
    maps = np.random.default_rng(0).integers(0, 20, (4, 3, 16, 16)).astype(float)
    maps[:, :, 0, 0] = 99  # its receptive field reaches beyond the image
    found = patches.strongest(maps, FIELD, 64)
    first, last = patches.whole_cells(FIELD, 64)
    cells = [(i, j) for i in range(first, last) for j in range(first, last)]
    for n in range(4):
        for unit in range(3):
            best = max(cells, key=lambda cell: maps[(n, unit, *cell)])
            assert (found.row[n, unit], found.column[n, unit]) == best
            assert found.value[n, unit] == maps[(n, unit, *best)]


def test_top_scenes_come_strongest_first():
    values = np.array([[1.0, 0], [5, 0], [3, 0], [5, 0.1]])
    found = patches.Strongest(values, np.zeros((4, 2), int), np.zeros((4, 2), int))
    assert patches.top_scenes(found, 0, 3).tolist() == [1, 3, 2]
    assert patches.top_scenes(found, 0, 9).tolist() == [1, 3, 2, 0]
    assert patches.alive(found, 2) == [0, 1]
    assert patches.alive(found._replace(value=values * [0, 1]), 2) == [1]
    assert patches.alive(found, 1) == [0]


def test_cuts_by_hand():
    image = np.arange(64 * 64).reshape(64, 64)
    patch = patches.cut(image, FIELD, 2, 1)
    assert patch.shape == (10, 10)
    assert patch[0, 0] == image[5, 1]
    square = patches.cell_square(image, 4, 2, 1)
    np.testing.assert_array_equal(square, image[8:12, 4:8])
    np.testing.assert_array_equal(patch[3:7, 3:7], square)


def test_the_nearest_shape_by_hand():
    labels = np.zeros((9, 9), int)
    assert patches.nearest_shape(labels) == 0
    labels[0, 0] = 3
    assert patches.nearest_shape(labels) == 3
    labels[4, 8], labels[1, 4] = 2, 5
    assert patches.nearest_shape(labels) == 5
    labels[5, 5] = 1
    assert patches.nearest_shape(labels) == 1


def test_likeness_by_hand():
    colours = np.array([[0.0, 0, 0], [0, 0, 2], [0, 0, 0], [0, 0, 2]])
    assert patches.likeness(np.array([2, 2, 2, 1]), colours) == (0.75, 1.0)
    assert patches.likeness(np.array([0, 0, 0, 1]), 0 * colours) == (0.25, 0.0)
    assert patches.likeness(np.zeros(4, int), colours)[0] == 0
