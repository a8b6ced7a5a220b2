// The steps of the optimisers, each in one pass over a parameter. One thread a number; in place.
#include "common.cuh"

// g = gradient + weight_decay * p; velocity = momentum * velocity + g; p -= lr * velocity.
extern "C" __global__ void sgd_update(real *__restrict__ parameter,
                                      const real *__restrict__ gradient,
                                      real *__restrict__ velocity, int64 total, real lr,
                                      real momentum, real weight_decay) {
    int64 i = thread_number();
    if (i >= total) return;
    real g = gradient[i] + weight_decay * parameter[i];
    velocity[i] = momentum * velocity[i] + g;
    parameter[i] -= lr * velocity[i];
}

// g = gradient + weight_decay * p;
// mean += rate1 * (g - mean); square += rate2 * (g * g - square);
// p -= lr * (mean / start1) / (sqrt(square / start2) + eps),
// where rate = 1 - beta, and start = 1 - beta^steps makes up for the start from 0.
extern "C" __global__ void adam_update(real *__restrict__ parameter,
                                       const real *__restrict__ gradient, real *__restrict__ mean,
                                       real *__restrict__ square, int64 total, real lr, real rate1,
                                       real rate2, real eps, real weight_decay, real start1,
                                       real start2) {
    int64 i = thread_number();
    if (i >= total) return;
    real g = gradient[i] + weight_decay * parameter[i];
    mean[i] += rate1 * (g - mean[i]);
    square[i] += rate2 * (g * g - square[i]);
    parameter[i] -= lr * (mean[i] / start1) / (sqrt(square[i] / start2) + eps);
}
