// Sums over the threads of a block.
#pragma once
#include "common.cuh"

// The sum of `value` over all threads of the block; all get it. In each warp, threads first add the
// value of the thread 16 further, then 8, 4, 2, 1: shuffles, which need no memory. Then each adds
// up the sums of the warps, in one order, so that all get the same bits. blockDim.x is a multiple
// of 32.
__device__ __forceinline__ real block_sum(real value) {
    __shared__ real of_warp[32];
    for (int distance = 16; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xffffffff, value, distance);
    __syncthreads();  // of_warp may still be read from the last call
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
    __syncthreads();
    real sum = 0;
    for (int warp = 0; warp < blockDim.x / 32; warp++) sum += of_warp[warp];
    return sum;
}
