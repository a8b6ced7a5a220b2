// Resizing, nearest and bilinear, and its adjoint.
#include "common.cuh"

// How positions along one axis go: from output pixel j to a position in an input of `size` pixels.
struct Axis {
    double step;  // input pixels from one output pixel to the next
    int size, out;
    int nearest, align_corners;
    int exact;  // whether step is size / out: then whole numbers give the nearest pixel exactly
};

__device__ __forceinline__ double source(int j, const Axis &axis) {
    double position;
    if (axis.nearest)
        position = axis.exact ? (double)((int64)j * axis.size / axis.out) : floor(j * axis.step);
    else if (axis.align_corners)
        position = j * axis.step;
    else
        // Pixel centres are aligned. Rounded twice, as NumPy does: not one fused multiply-add.
        position = fmax(__dadd_rn(__dmul_rn(j + 0.5, axis.step), -0.5), 0.0);
    return fmin(position, (double)(axis.size - 1));
}

// The share that input pixel i has in output pixel j, which lies between two input pixels.
__device__ __forceinline__ double share(int i, int j, const Axis &axis) {
    double position = source(j, axis);
    int low = (int)position, high = min(low + 1, axis.size - 1);
    double upper = position - low;
    return (i == low ? 1 - upper : 0.0) + (i == high ? upper : 0.0);
}

// y[plane, a, b] = sum over its (at most four) neighbours of share * x. One thread a pixel of y.
extern "C" __global__ void resize(const real *__restrict__ x, real *__restrict__ y, int64 total,
                                  const Axis rows, const Axis columns) {
    int64 element = thread_number();
    if (element >= total) return;
    Place at = place_of(element, rows.out, columns.out);
    const real *plane = x + at.plane * rows.size * columns.size;
    double h = source(at.row, rows), w = source(at.column, columns);
    int top = (int)h, left = (int)w;
    if (rows.nearest) {
        y[element] = plane[(int64)top * columns.size + left];
        return;
    }
    int bottom = min(top + 1, rows.size - 1), right = min(left + 1, columns.size - 1);
    double down = h - top, across = w - left;
    const real *upper = plane + (int64)top * columns.size;
    const real *lower = plane + (int64)bottom * columns.size;
    y[element] = real((1 - down) * (1 - across)) * upper[left] +
                 real((1 - down) * across) * upper[right] +
                 real(down * (1 - across)) * lower[left] + real(down * across) * lower[right];
}

// Along an axis, the output pixels in which input pixel i has a share: those whose positions lie
// between i - 1 and i + 1, without these two. Positions grow with j, so each end is found by ruling
// out half of what is left at each look.
struct Reach {
    int start, stop;
};

__device__ int first_beyond(double position, bool or_at, const Axis &axis) {
    int from = 0, to = axis.out;
    while (from < to) {
        int middle = from + (to - from) / 2;
        double found = source(middle, axis);
        if (found > position || (or_at && found == position))
            to = middle;
        else
            from = middle + 1;
    }
    return from;
}

__device__ Reach reach_of(int i, const Axis &axis) {
    return {first_beyond(i - 1, false, axis), first_beyond(i + 1, true, axis)};
}

// x[plane, h, w] = sum over the output pixels (a, b) near it of share * y[plane, a, b]: gather, no
// atomics. One thread a pixel of x.
extern "C" __global__ void resize_adjoint(const real *__restrict__ y, real *__restrict__ x,
                                          int64 total, const Axis rows, const Axis columns) {
    int64 element = thread_number();
    if (element >= total) return;
    Place at = place_of(element, rows.size, columns.size);
    const real *plane = y + at.plane * rows.out * columns.out;
    Reach down = reach_of(at.row, rows), across = reach_of(at.column, columns);
    real sum = 0;
    for (int a = down.start; a < down.stop; a++) {
        double share_h = share(at.row, a, rows);
        for (int b = across.start; b < across.stop; b++)
            sum += real(share_h * share(at.column, b, columns)) * plane[(int64)a * columns.out + b];
    }
    x[element] = sum;
}
