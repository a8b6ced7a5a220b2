// Kernels that compute each pixel by itself: relu, and softmax with cross-entropy.
#include "common.cuh"

// y = max(x, 0). One thread a number.
extern "C" __global__ void relu(const real *__restrict__ x, real *__restrict__ y, int64 total) {
    int64 i = thread_number();
    if (i < total) y[i] = rectified(x[i]);
}

// The gradient where y = relu(x) is positive, 0 elsewhere. One thread a number.
extern "C" __global__ void relu_gradient(const real *__restrict__ gradient,
                                         const real *__restrict__ y, real *__restrict__ x,
                                         int64 total) {
    int64 i = thread_number();
    if (i < total) x[i] = y[i] > 0 ? gradient[i] : real(0);
}

// y = min(max(x, 0), 6). One thread a number.
extern "C" __global__ void relu6(const real *__restrict__ x, real *__restrict__ y, int64 total) {
    int64 i = thread_number();
    if (i < total) y[i] = clipped(x[i], 6);
}

// The gradient where y = relu6(x) is between 0 and 6, 0 elsewhere. One thread a number.
extern "C" __global__ void relu6_gradient(const real *__restrict__ gradient,
                                          const real *__restrict__ y, real *__restrict__ x,
                                          int64 total) {
    int64 i = thread_number();
    if (i < total) x[i] = kept(gradient[i], y[i], 6);
}

// logs = log(sum over c of exp(x[n, c, p])), losses = logs - x[n, label, p].
// One thread a pixel (n, p): it goes through the channels twice, and nothing of the size of x is
// written. The largest score is taken out first, so that no exponential overflows.
extern "C" __global__ void cross_entropy(const real *__restrict__ x,
                                         const int64 *__restrict__ labels,
                                         real *__restrict__ losses, real *__restrict__ logs,
                                         int64 total, int64 channels, int64 pixels) {
    int64 i = thread_number();
    if (i >= total) return;
    int64 n = i / pixels;
    const real *scores = x + n * channels * pixels + (i - n * pixels);
    real largest = scores[0];
    for (int c = 1; c < channels; c++) {
        real score = scores[c * pixels];
        if (score > largest || score != score) largest = score;
    }
    real sum = 0;
    for (int c = 0; c < channels; c++) sum += exp(scores[c * pixels] - largest);
    logs[i] = largest + log(sum);
    losses[i] = logs[i] - scores[labels[i] * pixels];
}

// gradient[n, c, p] = scale[n, p] * (exp(x[n, c, p] - logs[n, p]) - (1 where c is the label)).
// One thread a pixel.
extern "C" __global__ void cross_entropy_gradient(const real *__restrict__ x,
                                                  const int64 *__restrict__ labels,
                                                  const real *__restrict__ logs,
                                                  const real *__restrict__ scale,
                                                  real *__restrict__ gradient, int64 total,
                                                  int64 channels, int64 pixels) {
    int64 i = thread_number();
    if (i >= total) return;
    int64 n = i / pixels, first = n * channels * pixels + (i - n * pixels);
    for (int c = 0; c < channels; c++) {
        int64 at = first + c * pixels;
        gradient[at] = scale[i] * (exp(x[at] - logs[i]) - (labels[i] == c ? 1 : 0));
    }
}
