// Max-pooling with the places of the maxima, and the pair that uses them: gather and unpool.
#include "common.cuh"

// The maximum of each window and its place h * W + w; the first of several, and NaN before numbers.
// One thread a window. indices may be null: nobody wants them.
extern "C" __global__ void max_pool2d(const real *__restrict__ x, real *__restrict__ values,
                                      int64 *__restrict__ indices, int64 total, const Windows s) {
    int64 element = thread_number();
    if (element >= total) return;
    Place at = place_of(element, s.oh, s.ow);
    const real *plane = x + at.plane * s.h * s.w;
    real best = 0;
    int64 best_place = -1;
    for (int i = 0; i < s.kh; i++)
        for (int j = 0; j < s.kw; j++) {
            int h = at.row * s.stride_h - s.padding_h + i * s.dilation_h;
            int w = at.column * s.stride_w - s.padding_w + j * s.dilation_w;
            if (!inside(h, w, s)) continue;
            int64 place = (int64)h * s.w + w;
            real value = plane[place];
            if (best_place < 0 || value > best || value != value) {
                best = value;
                best_place = place;
            }
        }
    values[element] = best;
    if (indices) indices[element] = best_place;
}

// y[plane, p] = x[plane, indices[plane, p]]. One thread an element of y.
extern "C" __global__ void gather(const real *__restrict__ x, const int64 *__restrict__ indices,
                                  real *__restrict__ y, int64 total, int64 pixels, int64 area) {
    int64 element = thread_number();
    if (element >= total) return;
    y[element] = x[element / pixels * area + indices[element]];
}

// x[plane, indices[plane, p]] += y[plane, p], zeros elsewhere; x has `area` numbers a plane, y
// has `pixels`. One block a plane, with threads that walk along it together.
//
// Several p may have one target. Adding with atomicAdd would leave their order to chance. Here they
// take turns instead: in each round the smallest p that has not been added yet goes first, at all
// targets at once. Finding it needs an atomicMin, of whole numbers, whose result does not depend
// on the order. last[target] is the p that was added last, next[target] the one whose turn it is.
// Windows of 2x2 with stride 2 do not overlap: one round. 3x3 with stride 2: at most four.
// What one thread writes, others read after the barrier: so these three have no __restrict__.
extern "C" __global__ void unpool(const real *__restrict__ y, const int64 *__restrict__ indices,
                                  real *x, int *last, int *next, int64 pixels, int64 area) {
    const int nobody = 0x7fffffff;
    int64 plane = blockIdx.x;
    y += plane * pixels;
    indices += plane * pixels;
    x += plane * area;
    last += plane * area;
    next += plane * area;
    for (int64 target = threadIdx.x; target < area; target += blockDim.x) {
        x[target] = 0;
        last[target] = -1;
        next[target] = nobody;
    }
    __syncthreads();
    for (;;) {
        int waiting = 0;
        for (int p = threadIdx.x; p < pixels; p += blockDim.x)
            if (p > last[indices[p]]) {
                atomicMin(&next[indices[p]], p);
                waiting = 1;
            }
        if (!__syncthreads_or(waiting)) return;  // a barrier that also tells all of any's answer
        for (int p = threadIdx.x; p < pixels; p += blockDim.x)
            if (p == next[indices[p]]) {
                x[indices[p]] += y[p];
                last[indices[p]] = p;
            }
        __syncthreads();
        for (int p = threadIdx.x; p < pixels; p += blockDim.x)
            if (p == last[indices[p]]) next[indices[p]] = nobody;
        __syncthreads();
    }
}
