// Depthwise convolutions: every channel by itself, with a kernel of its own. A tiled product (see
// convolution.cu) would use one of the 64 rows of its tile; so here each number is summed up by one
// thread, from KH * KW products, and neighbouring threads read neighbouring numbers.
#include "reductions.cuh"

// y[n, c, oh, ow] = bias[c] + sum over (i, j) of weight[c, i, j] * x[n, c, h, w]; then relu. One
// thread a number of y.
extern "C" __global__ void depthwise_conv2d(const real *__restrict__ x,
                                            const real *__restrict__ weight,
                                            const real *__restrict__ bias, real *__restrict__ y,
                                            int64 total, int64 channels, const Windows s,
                                            int64 rectify) {
    int64 number = thread_number();
    if (number >= total) return;
    Place window = place_of(number, s.oh, s.ow);
    int64 c = window.plane % channels;
    int h = window.row * s.stride_h - s.padding_h, w = window.column * s.stride_w - s.padding_w;
    x += window.plane * s.h * s.w;
    weight += c * s.kh * s.kw;
    real sum = 0;
    for (int i = 0; i < s.kh; i++)
        for (int j = 0; j < s.kw; j++) {
            int row = h + i * s.dilation_h, column = w + j * s.dilation_w;
            if (inside(row, column, s)) sum += weight[i * s.kw + j] * x[(int64)row * s.w + column];
        }
    if (bias) sum += bias[c];
    y[number] = rectify ? rectified(sum) : sum;
}

// x[n, c, h, w] = sum over (i, j) of weight[c, i, j] * y[n, c, oh, ow], its adjoint: each pixel
// gathers what the windows over it send back, oh = (h + padding - i * dilation) / stride where that
// is a whole number and a row of y. One thread a number of x.
extern "C" __global__ void depthwise_conv_transpose2d(const real *__restrict__ y,
                                                      const real *__restrict__ weight,
                                                      real *__restrict__ x, int64 total,
                                                      int64 channels, const Windows s) {
    int64 number = thread_number();
    if (number >= total) return;
    Place pixel = place_of(number, s.h, s.w);
    y += pixel.plane * s.oh * s.ow;
    weight += pixel.plane % channels * s.kh * s.kw;
    real sum = 0;
    for (int i = 0; i < s.kh; i++) {
        int h = pixel.row + s.padding_h - i * s.dilation_h, row = h / s.stride_h;
        if (h < 0 || h % s.stride_h != 0 || row >= s.oh) continue;
        for (int j = 0; j < s.kw; j++) {
            int w = pixel.column + s.padding_w - j * s.dilation_w, column = w / s.stride_w;
            if (w < 0 || w % s.stride_w != 0 || column >= s.ow) continue;
            sum += weight[i * s.kw + j] * y[(int64)row * s.ow + column];
        }
    }
    x[number] = sum;
}

// weight[c, i, j] = sum over (n, oh, ow) of x[n, c, h, w] * y[n, c, oh, ow]. One block a number of
// the weight: its threads walk along the pixels of y together, and add up in one order.
extern "C" __global__ void __launch_bounds__(1024)
    depthwise_conv2d_weight(const real *__restrict__ x, const real *__restrict__ y,
                            real *__restrict__ weight, int64 images, int64 channels,
                            const Windows s) {
    int64 c = blockIdx.x / (s.kh * s.kw), pixels = (int64)s.oh * s.ow;
    int i = blockIdx.x / s.kw % s.kh, j = blockIdx.x % s.kw;
    real sum = 0;
    for (int64 number = threadIdx.x; number < images * pixels; number += blockDim.x) {
        Place window = place_of(number, s.oh, s.ow);
        int row = window.row * s.stride_h - s.padding_h + i * s.dilation_h;
        int column = window.column * s.stride_w - s.padding_w + j * s.dilation_w;
        int64 plane = window.plane * channels + c;
        int64 pixel = (int64)window.row * s.ow + window.column;
        if (inside(row, column, s))
            sum += x[(plane * s.h + row) * s.w + column] * y[plane * pixels + pixel];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) weight[blockIdx.x] = sum;
}
