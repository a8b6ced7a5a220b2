"""Run every CUDA kernel on the CPU; a program of its own, for the sanitizers to watch.

    python run_every_kernel.py [NAME FILE OLD NEW]

Prints the names of the kernels that ran. With arguments it runs only the kernel NAME, with the
text OLD of the CUDA source FILE replaced by NEW. Exits with 3 if one computes something wrong.
"""

import sys

import numpy as np

from minifcn.kernels import cpu, geometry, gpu
from minifcn.kernels.gpu import launch


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def convolution(n, channels, outputs, groups, size, kernel_size, *settings):
    """The three convolutions of one geometry, each with its arguments."""
    out = geometry.output_pair(size, kernel_size, *settings)
    x, y = normal(n, channels * groups, *size), normal(n, outputs * groups, *out)
    weight, bias = normal(outputs * groups, channels, *kernel_size), normal(outputs * groups)
    rest = tuple(map(geometry.conv_remainder, size, kernel_size, *settings))
    yield "conv2d", (x, weight, *settings, groups, bias, True)
    yield "conv_transpose2d", (y, weight, *settings[:2], rest, settings[2], groups)
    yield "conv2d_weight", (x, y, kernel_size, *settings, groups)


def calls():
    """Yield the name and arguments of a few small calls of every kernel."""
    yield from convolution(2, 3, 65, 1, (5, 6), (3, 2), (1, 1), (1, 1), (1, 1))
    yield from convolution(1, 2, 3, 2, (9, 12), (3, 3), (2, 3), (1, 2), (2, 3))
    yield from convolution(2, 1, 1, 3, (9, 12), (3, 5), (2, 1), (1, 2), (1, 2))
    yield "conv1x1", (normal(2, 20, 7, 9), normal(66, 20), normal(66), True)
    yield "conv1x1", (normal(2, 3, 7, 9), normal(66, 3))
    yield "conv1x1_weight", (normal(2, 20, 15, 10), normal(2, 66, 15, 10))  # two parts of a sum
    x, windows = normal(2, 3, 7, 9), ((3, 2), (2, 1), (1, 1), (1, 2))
    yield "im2col", (x, *windows)
    columns = cpu.im2col(x, *windows)
    yield "col2im", (columns, (7, 9), *windows[1:])
    yield "col2im_scatter", (columns, (7, 9), *windows[1:])
    values, indices = cpu.max_pool2d(x, (3, 3), (2, 2), (1, 1), (1, 1), False)
    yield "max_pool2d", (x, (3, 3), (2, 2), (1, 1), (1, 1), False)
    yield "gather", (x, indices)
    yield "unpool", (values, indices, (7, 9))
    for mode in ("nearest", "bilinear"):
        yield "resize", (x, (11, 5), (7 / 11, 9 / 5), mode, False)
        yield "resize_adjoint", (normal(2, 3, 11, 5), (7, 9), (7 / 11, 9 / 5), mode, False)
    yield "relu", (x,)
    yield "relu_gradient", (x, cpu.relu(normal(2, 3, 7, 9)))
    yield "relu6", (5 * x,)
    yield "relu6_gradient", (x, cpu.relu6(5 * normal(2, 3, 7, 9)))
    yield "channel_sums", (x,)
    labels = np.arange(126).reshape(2, 7, 9) % 3
    yield "cross_entropy", (x, labels)
    yield "cross_entropy_gradient", (x, labels, *cpu.cross_entropy(x, labels))
    _, mean, var = cpu.batch_norm(x, normal(3), normal(3), 1e-5)
    yield "batch_norm", (x, normal(3), normal(3), 1e-5)
    yield "batch_norm_gradient", (normal(2, 3, 7, 9), x, normal(3), mean, var, 1e-5)
    clipped, *_ = cpu.batch_norm(x, normal(3), normal(3), 1e-5, 0.5)
    yield "batch_norm", (x, normal(3), normal(3), 1e-5, 0.5, mean, var)
    given = (normal(2, 3, 7, 9), x, normal(3), mean, var, 1e-5, clipped, 0.5)
    yield "batch_norm_gradient", given
    yield "batch_norm_gradient", (*given, True)
    yield "sgd_update", (*normal(3, 300), 0.1, 0.9, 0.01)
    yield "adam_update", (*np.abs(normal(4, 300)), 3, 0.1, (0.9, 0.999), 1e-8, 0.01)


def plant(file, old, new):
    """Replace a text in the source of a CUDA file, which must have it."""
    text = launch.source(file)
    assert old in text, f"{file} does not have {old}"
    original = launch.source
    launch.forget()
    launch.source = lambda name: text.replace(old, new) if name == file else original(name)


def results(module, name, arguments):
    """What a kernel returns, or what it has changed."""
    arguments = [np.array(a) if isinstance(a, np.ndarray) else a for a in arguments]
    returned = getattr(module, name.replace("_scatter", "") if module is cpu else name)(*arguments)
    if returned is None:
        return arguments[:4]
    return returned if isinstance(returned, tuple) else [returned]


def main(only=None, *planted):
    launch.MOST_THREADS = 64  # of the operating system, with some sanitizers: 1024 take a minute
    if planted:
        plant(*planted)
    ran = []
    for name, arguments in calls():
        if only in (None, name):
            ran.append(name)
            pairs = zip(results(gpu, name, arguments), results(cpu, name, arguments), strict=True)
            if not all(np.allclose(a, b, 1e-4, 1e-4) for a, b in pairs):
                print(f"{name} computes something wrong", file=sys.stderr)
                return 3
    print(*ran)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
