// Batch normalisation with the statistics of the batch, and its gradient.
#include "reductions.cuh"

// squares[n, c] = sum over p of (x[n, c, p] - mean[c])^2: around the mean, as the mean of squares
// minus the square of the mean would cancel. One block a plane.
extern "C" __global__ void __launch_bounds__(1024)
    plane_squares(const real *__restrict__ x, const real *__restrict__ mean,
                  real *__restrict__ squares, int64 channels, int64 pixels) {
    x += blockIdx.x * pixels;
    real middle = mean[blockIdx.x % channels], sum = 0;
    for (int64 p = threadIdx.x; p < pixels; p += blockDim.x) {
        real distance = x[p] - middle;
        sum += distance * distance;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

// y = (x - mean) / sqrt(var + eps) * weight + bias; clipped to [0, limit], if `clips`. One thread a
// number.
extern "C" __global__ void normalize(const real *__restrict__ x, const real *__restrict__ mean,
                                     const real *__restrict__ var, const real *__restrict__ weight,
                                     const real *__restrict__ bias, real *__restrict__ y,
                                     int64 total, int64 channels, int64 pixels, real eps,
                                     int64 clips, real limit) {
    int64 i = thread_number();
    if (i >= total) return;
    int c = (int)(i / pixels % channels);
    real value = (x[i] - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c];
    y[i] = clips ? clipped(value, limit) : value;
}

// The sums that the gradients are made of, with x^ = (x - mean) / sqrt(var + eps):
// sums[n, 0, c] = sum over p of gradient * x^, sums[n, 1, c] = sum over p of gradient; where y was
// clipped, of what is kept of the gradient. One block a plane (n, c).
extern "C" __global__ void __launch_bounds__(1024)
    batch_norm_sums(const real *__restrict__ gradient, const real *__restrict__ x,
                    const real *__restrict__ mean, const real *__restrict__ var,
                    const real *__restrict__ y, real *__restrict__ sums, int64 channels,
                    int64 pixels, real eps, real limit) {
    gradient += blockIdx.x * pixels;
    x += blockIdx.x * pixels;
    if (y) y += blockIdx.x * pixels;
    int64 n = blockIdx.x / channels, c = blockIdx.x % channels;
    real middle = mean[c], product = 0, sum = 0;
    for (int64 p = threadIdx.x; p < pixels; p += blockDim.x) {
        real g = y ? kept(gradient[p], y[p], limit) : gradient[p];
        product += g * (x[p] - middle);
        sum += g;
    }
    product = block_sum(product);
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[2 * n * channels + c] = product / sqrt(var[c] + eps);
        sums[(2 * n + 1) * channels + c] = sum;
    }
}

// to_x = weight / sqrt(var + eps) * (gradient - <gradient> - x^ <gradient * x^>), where < > is the
// mean over the `count` numbers of a channel; with a count of 0, weight / sqrt(var + eps) *
// gradient, as mean and var did not depend on x. Of the gradient, what clipping y keeps. One thread
// a number.
extern "C" __global__ void batch_norm_gradient(
    const real *__restrict__ gradient, const real *__restrict__ x, const real *__restrict__ weight,
    const real *__restrict__ mean, const real *__restrict__ var, const real *__restrict__ to_weight,
    const real *__restrict__ to_bias, const real *__restrict__ y, real *__restrict__ to_x,
    int64 total, int64 channels, int64 pixels, int64 count, real eps, real limit) {
    int64 i = thread_number();
    if (i >= total) return;
    int c = (int)(i / pixels % channels);
    real std = sqrt(var[c] + eps), normalized = (x[i] - mean[c]) / std;
    real means = count ? (to_bias[c] + normalized * to_weight[c]) / count : real(0);
    to_x[i] = weight[c] / std * ((y ? kept(gradient[i], y[i], limit) : gradient[i]) - means);
}
