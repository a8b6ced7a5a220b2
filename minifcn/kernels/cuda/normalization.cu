// Batch normalisation with the statistics of the batch, and its gradient.
#include "reductions.cuh"

// mean[c] and (biased) var[c] over (n, p). One block a channel. The mean comes first, then the
// squares around it: the mean of squares minus the square of the mean would cancel.
extern "C" __global__ void __launch_bounds__(1024)
    batch_moments(const real *__restrict__ x, real *__restrict__ mean, real *__restrict__ var,
                  int64 images, int64 pixels) {
    int channel = blockIdx.x, channels = gridDim.x;
    int64 count = images * pixels;
    real sum = 0, squares = 0;
    for (int64 i = threadIdx.x; i < count; i += blockDim.x)
        sum += x[in_channel(i, channel, channels, pixels)];
    real middle = block_sum(sum) / count;
    for (int64 i = threadIdx.x; i < count; i += blockDim.x) {
        real distance = x[in_channel(i, channel, channels, pixels)] - middle;
        squares += distance * distance;
    }
    squares = block_sum(squares);
    if (threadIdx.x == 0) {
        mean[channel] = middle;
        var[channel] = squares / count;
    }
}

// y = (x - mean) / sqrt(var + eps) * weight + bias. One thread a number.
extern "C" __global__ void normalize(const real *__restrict__ x, const real *__restrict__ mean,
                                     const real *__restrict__ var, const real *__restrict__ weight,
                                     const real *__restrict__ bias, real *__restrict__ y,
                                     int64 total, int64 channels, int64 pixels, real eps) {
    int64 i = thread_number();
    if (i >= total) return;
    int c = (int)(i / pixels % channels);
    y[i] = (x[i] - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c];
}

// The sums that the gradients are made of, with x^ = (x - mean) / sqrt(var + eps):
// to_bias[c] = sum of gradient, to_weight[c] = sum of gradient * x^. One block a channel.
extern "C" __global__ void __launch_bounds__(1024)
    batch_norm_sums(const real *__restrict__ gradient, const real *__restrict__ x,
                    const real *__restrict__ mean, const real *__restrict__ var,
                    real *__restrict__ to_weight, real *__restrict__ to_bias, int64 images,
                    int64 pixels, real eps) {
    int channel = blockIdx.x, channels = gridDim.x;
    real sum = 0, product = 0;
    for (int64 i = threadIdx.x; i < images * pixels; i += blockDim.x) {
        int64 at = in_channel(i, channel, channels, pixels);
        sum += gradient[at];
        product += gradient[at] * (x[at] - mean[channel]);
    }
    sum = block_sum(sum);
    product = block_sum(product);
    if (threadIdx.x == 0) {
        to_bias[channel] = sum;
        to_weight[channel] = product / sqrt(var[channel] + eps);
    }
}

// to_x = weight / sqrt(var + eps) * (gradient - <gradient> - x^ <gradient * x^>), where < > is the
// mean over the `count` numbers of a channel. One thread a number.
extern "C" __global__ void batch_norm_gradient(
    const real *__restrict__ gradient, const real *__restrict__ x, const real *__restrict__ weight,
    const real *__restrict__ mean, const real *__restrict__ var, const real *__restrict__ to_weight,
    const real *__restrict__ to_bias, real *__restrict__ to_x, int64 total, int64 channels,
    int64 pixels, int64 count, real eps) {
    int64 i = thread_number();
    if (i >= total) return;
    int c = (int)(i / pixels % channels);
    real std = sqrt(var[c] + eps), normalized = (x[i] - mean[c]) / std;
    to_x[i] = weight[c] / std * (gradient[i] - (to_bias[c] + normalized * to_weight[c]) / count);
}
