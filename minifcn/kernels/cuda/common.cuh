// What every .cu file here shares: the number type, where a thread stands, and how windows lie.
//
// The launcher (kernels/gpu/launch.py) compiles each file twice, with -DREAL=float and with
// -DREAL=double. Arrays are contiguous; (N, C, H, W) is written n, c, h, w. Sizes along an axis are
// `int`; positions in a whole array are `int64`, since a batch may have more than 2^31 numbers.
#pragma once

#ifndef REAL
#define REAL float
#endif

typedef REAL real;  // CuPy compiles with -ftz=true: a float below 1.2e-38 counts as 0
typedef long long int64;

// The number of this thread in a launch of many blocks: thread i works on element i.
__device__ __forceinline__ int64 thread_number() {
    return (int64)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ real rectified(real value) {
    return value <= 0 ? real(0) : value;  // written so that NaN stays NaN
}

// Between 0 and a limit, which may be infinite.
__device__ __forceinline__ real clipped(real value, real limit) {
    value = rectified(value);
    return value > limit ? limit : value;  // NaN stays NaN here, too
}

// The gradient where y, which was clipped so, lies inside, 0 elsewhere. (2 * limit == limit: there
// is no limit, and y may be infinite.)
__device__ __forceinline__ real kept(real gradient, real y, real limit) {
    return y > 0 && (y < limit || 2 * limit == limit) ? gradient : real(0);
}

// How windows of size (kh, kw) slide over an image of (h, w): (oh, ow) of them.
// Element (i, j) of window (a, b) lies at (a * stride_h - padding_h + i * dilation_h, likewise w).
struct Windows {
    int h, w, oh, ow, kh, kw;
    int stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
};

__device__ __forceinline__ bool inside(int h, int w, const Windows &s) {
    return h >= 0 && h < s.h && w >= 0 && w < s.w;
}

// Where an element of an array (planes, height, width) lies. Divisions of 64 bits are slow: these
// two are all that a thread does.
struct Place {
    int64 plane;
    int row, column;
};

__device__ __forceinline__ Place place_of(int64 element, int height, int width) {
    int64 plane = element / ((int64)height * width);
    int64 rest = element - plane * height * width;
    int row = (int)(rest / width);
    return {plane, row, (int)(rest - (int64)row * width)};
}
