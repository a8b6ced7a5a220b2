// Sums of whole arrays, in two steps: over the pixels of each plane, then over the images.
#include "reductions.cuh"

// y[plane] = sum over p of x[plane, p]. One block a plane; its threads walk along it together.
extern "C" __global__ void __launch_bounds__(1024)
    plane_sums(const real *__restrict__ x, real *__restrict__ y, int64 pixels) {
    x += blockIdx.x * pixels;
    real sum = 0;
    for (int64 p = threadIdx.x; p < pixels; p += blockDim.x) sum += x[p];
    sum = block_sum(sum);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// y[i] = sum over part of x[part, i] / divisor, always in the same order. One thread a number of y.
extern "C" __global__ void sum_parts(const real *__restrict__ x, real *__restrict__ y, int64 total,
                                     int64 parts, real divisor) {
    int64 i = thread_number();
    if (i >= total) return;
    real sum = 0;
    for (int part = 0; part < parts; part++) sum += x[part * total + i];
    y[i] = sum / divisor;
}
