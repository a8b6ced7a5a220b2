"""Windows that overlap give what the whole image gives, without seams; and how large they are."""

import tracemalloc

import numpy as np
import pytest

from minifcn import Tensor, nn, no_grad
from minifcn.kernels.cpu import threads
from minifcn.kernels.geometry import Window, receptive_field
from minifcn.models import FCN, VGG
from minifcn.runs import windows
from minifcn.runs.windows import GIB, Need, choose_window, measure, score_rows, spans


def generator():
    return np.random.default_rng(0)


def local_network():
    """A network whose scores depend on at most five pixels to each side."""
    layers = nn.Conv2d(3, 4, 3, padding=1, generator=generator()), nn.MaxPool2d(2)
    scores = nn.Conv2d(4, 3, 3, padding=1, generator=generator()), nn.Upsample(scale_factor=2)
    return nn.Sequential(*layers, *scores)


def fcn():
    """An FCN-8s whose scores all count."""
    backbone = VGG((3, 4, 5, 6, 7), (1, 1, 1, 1, 1), generator=generator())
    model = FCN(3, backbone=backbone, head_width=8, generator=generator()).eval()
    for name in ("score_fr", "score_pool4", "score_pool3"):
        weight = getattr(model, name).weight
        weight.data[...] = generator().standard_normal(weight.shape)
    return model


def scoring(model):
    def score(image):
        with no_grad():
            x = image.transpose(2, 0, 1)[None].astype(np.float32) / 255
            return model(Tensor(x)).data[0]

    return score


def draw_image(height, width):
    return generator().integers(0, 256, (height, width, 3), np.uint8)


def in_windows(model, image, window):
    return np.concatenate(list(score_rows(scoring(model), image, window)), 1)


@pytest.mark.parametrize("window", [(64, 96), (64, 300), (200, 64)])
def test_a_network_that_sees_less_than_the_margin_gives_the_same_everywhere(window):
    """Of an overlap of 32, 3/8 are 12 pixels. Rows and columns that are no multiples of 32."""
    model, image = local_network(), draw_image(150, 202)
    expected = scoring(model)(image)
    found = in_windows(model, image, window)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_one_window_is_the_image_itself():
    model, image = fcn(), draw_image(40, 50)
    np.testing.assert_array_equal(in_windows(model, image, (40, 50)), scoring(model)(image))


def reach():
    """How far from a pixel its score by `fcn` looks: a cell's half field, and the upsampling."""
    stages = [Window(3, padding=1), Window(2, 2)] * 5
    return receptive_field([*stages, Window(3, padding=1)]).size // 2 + 32 + 16 + 8


def test_far_from_all_borders_an_fcn_gives_what_it_gives_for_the_whole_image():
    """Windows of 512: before 352 counts the first one, which ends at 512, from 416 the second."""
    assert reach() < 512 - 352 == 416 - 256
    model, image = fcn(), draw_image(100, 700)
    difference = np.abs(in_windows(model, image, (100, 512)) - scoring(model)(image))
    largest = np.abs(scoring(model)(image)).max()
    assert difference[..., :352].max() < 1e-5 * largest
    assert difference[..., 416:].max() < 1e-5 * largest
    assert difference[..., 352:416].max() < 1e-3 * largest


def largest_jump(error):
    """Between neighbours, along both axes: what an eye sees as a seam."""
    return max(np.abs(np.diff(error, axis=axis)).max() for axis in (1, 2))


def test_there_is_no_seam_where_windows_meet(monkeypatch):
    """Windows of 128, in which an FCN looks far over the border of each."""
    model, image = fcn(), draw_image(250, 320)
    whole = scoring(model)(image)
    blended = in_windows(model, image, (128, 128)) - whole
    monkeypatch.setattr(windows, "_ramp", lambda n: (np.arange(n) >= n // 2).astype(np.float32))
    cut = in_windows(model, image, (128, 128)) - whole
    assert largest_jump(cut) > 0.001 * np.abs(whole).max()
    assert largest_jump(blended) < 0.5 * largest_jump(cut)


def test_scores_come_from_top_to_bottom_a_row_of_windows_at_a_time():
    rows = score_rows(scoring(local_network()), draw_image(200, 100), (64, 100))
    assert [part.shape for part in rows] == [(3, 32, 100)] * 5 + [(3, 40, 100)]


@pytest.mark.parametrize("window", [64, 128, 512, 1024])
@pytest.mark.parametrize("size", [1, 64, 65, 127, 1000, 2500])
def test_windows_cover_an_axis_and_only_two_overlap(size, window):
    places = spans(size, window)
    assert (places[0][0], places[-1][1]) == (0, size)
    assert all(start % 32 == 0 and 0 < stop - start <= window for start, stop in places)
    for (_, stop), (start, _) in zip(places, places[1:], strict=False):
        assert stop - start == min(256, window // 2)
    for (_, stop), (start, _) in zip(places, places[2:], strict=False):
        assert stop <= start


# -- How large -----------------------------------------------------------------------------------


def test_the_largest_windows_that_fit():
    need = Need(per_pixel=100, classes=5)
    assert choose_window((300, 400), need, 100 * 320 * 416) == (300, 400)
    window = choose_window((300, 400), need, 100 * 320 * 416 - 1)
    assert window == (256, 256)
    assert need.in_windows((256, 256), 400) < 100 * 320 * 416 < need.in_windows((288, 288), 400)
    assert choose_window((3000, 4000), need, 0.2 * GIB) == (672, 672)
    assert need.in_windows((704, 704), 4000) > 0.2 * GIB


def test_too_little_memory_says_how_much_is_needed():
    with pytest.raises(ValueError, match=r"at least 0\.0.* GiB for windows of 128x128"):
        choose_window((3000, 4000), Need(100, 5), 2**20)


def test_a_window_of_the_smallest_size_needs_what_the_error_says():
    shape, need = (3000, 4000), Need(100, 5)
    with pytest.raises(ValueError, match="at least") as caught:
        choose_window(shape, need, 1)
    least = float(str(caught.value).split("at least ")[1].split()[0])
    assert choose_window(shape, need, 1.01 * least * GIB) == (128, 128)


def test_what_a_small_image_takes_foretells_what_a_larger_one_does():
    need = measure(scoring(fcn()))
    assert need.classes == 3
    taken, _ = windows._peak(scoring(fcn()), 640)
    assert taken < need.whole(640, 640) < 2 * taken
    assert need.per_pixel > 4 * (3 + 3)  # the image and the scores of its classes


@pytest.mark.parametrize("part", [0.9, 0.4])
def test_windows_take_about_the_memory_that_they_may(part):
    """Beside the workspaces of further threads, which are small but for a tiny network."""
    score, image = scoring(fcn()), draw_image(600, 900)
    need = measure(score)
    memory = part * need.whole(600, 900)
    window = choose_window((600, 900), need, memory)
    count = threads.num_threads()
    threads.set_num_threads(1)
    tracemalloc.start()
    try:
        for _ in score_rows(score, image, window):
            pass
        assert 0.3 * memory < tracemalloc.get_traced_memory()[1] < 1.1 * memory
    finally:
        tracemalloc.stop()
        threads.set_num_threads(count)


def test_the_measure_is_the_same_with_any_number_of_threads_and_leaves_all_as_it_was():
    before, found = threads.num_threads(), []
    try:
        for count in (1, 3):
            threads.set_num_threads(count)
            found.append(measure(scoring(fcn())))
            assert threads.num_threads() == count
    finally:
        threads.set_num_threads(before)
    assert found[0].per_pixel == pytest.approx(found[1].per_pixel, rel=0.05)
    assert not tracemalloc.is_tracing()
