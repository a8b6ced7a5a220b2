// Sums of whole arrays.
#include "reductions.cuh"

// y[c] = sum over (n, p) of x[n, c, p]. One block a channel; its threads walk along it together.
extern "C" __global__ void __launch_bounds__(1024)
    channel_sums(const real *__restrict__ x, real *__restrict__ y, int64 images, int64 pixels) {
    int channel = blockIdx.x, channels = gridDim.x;
    real sum = 0;
    for (int64 i = threadIdx.x; i < images * pixels; i += blockDim.x)
        sum += x[in_channel(i, channel, channels, pixels)];
    sum = block_sum(sum);
    if (threadIdx.x == 0) y[channel] = sum;
}

// y[i] = sum over part of x[part, i], always in the same order. One thread a number of y.
extern "C" __global__ void sum_parts(const real *__restrict__ x, real *__restrict__ y, int64 total,
                                     int64 parts) {
    int64 i = thread_number();
    if (i >= total) return;
    real sum = 0;
    for (int part = 0; part < parts; part++) sum += x[part * total + i];
    y[i] = sum;
}
