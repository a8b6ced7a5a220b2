// im2col and col2im: windows laid out as columns, and the columns added back.
#include "common.cuh"

// The pixel of x, which may lie in the padding, that an element (n, c, i, j, oh, ow) of the columns
// stands for.
__device__ __forceinline__ Place pixel_under(int64 element, const Windows &s) {
    Place at = place_of(element, s.oh, s.ow);  // its plane counts (n, c, i, j)
    int taps = s.kh * s.kw;
    int64 plane = at.plane / taps;
    int tap = (int)(at.plane - plane * taps);
    return {plane, at.row * s.stride_h - s.padding_h + tap / s.kw * s.dilation_h,
            at.column * s.stride_w - s.padding_w + tap % s.kw * s.dilation_w};
}

__device__ __forceinline__ int64 index_of(const Place &pixel, const Windows &s) {
    return (pixel.plane * s.h + pixel.row) * s.w + pixel.column;
}

// columns[n, c, i, j, oh, ow] = x[n, c, h, w], 0 in the padding.
// One thread an element of columns. Neighbouring threads have neighbouring ow, so that with
// stride 1 they read and write neighbouring numbers.
extern "C" __global__ void im2col(const real *__restrict__ x, real *__restrict__ columns,
                                  int64 total, const Windows s) {
    int64 element = thread_number();
    if (element >= total) return;
    Place pixel = pixel_under(element, s);
    columns[element] = inside(pixel.row, pixel.column, s) ? x[index_of(pixel, s)] : real(0);
}

// x[n, c, h, w] += columns[n, c, i, j, oh, ow]: scatter, as one thinks of it. x starts as zeros.
// One thread an element of columns. Windows overlap, so several threads add to one pixel: without
// atomicAdd some of their sums would be lost. In which order they come is left to chance, and so
// are the last bits of the sum.
extern "C" __global__ void col2im_scatter(const real *__restrict__ columns, real *x,
                                          int64 total, const Windows s) {
    int64 element = thread_number();
    if (element >= total) return;
    Place pixel = pixel_under(element, s);
    if (inside(pixel.row, pixel.column, s)) atomicAdd(&x[index_of(pixel, s)], columns[element]);
}

// The same sums as gather: what runs. One thread a pixel of x, which collects what is its own, in
// a fixed order: no atomics, no zeros to start from, the same bits each time.
extern "C" __global__ void col2im_gather(const real *__restrict__ columns, real *__restrict__ x,
                                         int64 total, const Windows s) {
    int64 element = thread_number();
    if (element >= total) return;
    Place at = place_of(element, s.h, s.w);
    const real *windows = columns + at.plane * s.kh * s.kw * s.oh * s.ow;
    real sum = 0;
    for (int i = 0; i < s.kh; i++) {
        int from_h = at.row + s.padding_h - i * s.dilation_h;  // oh * stride_h, if there is such oh
        if (from_h < 0 || from_h % s.stride_h != 0 || from_h / s.stride_h >= s.oh) continue;
        for (int j = 0; j < s.kw; j++) {
            int from_w = at.column + s.padding_w - j * s.dilation_w;
            if (from_w < 0 || from_w % s.stride_w != 0 || from_w / s.stride_w >= s.ow) continue;
            int64 row = (int64)(i * s.kw + j) * s.oh + from_h / s.stride_h;
            sum += windows[row * s.ow + from_w / s.stride_w];
        }
    }
    x[element] = sum;
}
