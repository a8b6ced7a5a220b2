// A tiled matrix product, product[m, p] = sum over k of left[m, k] * right[k, p]: that is what a
// convolution is, once one has said where left and right come from.
//
// A block of 256 threads computes a tile of 64 x 64 of the product. It goes along k in steps of 16:
//   1. all threads together copy 64 x 16 of the left and 16 x 64 of the right into shared memory;
//   2. barrier: the copies are complete;
//   3. each thread multiplies for its own 4 x 4 of the product, which it keeps in registers;
//   4. barrier: nobody needs the copies any more, the next may come.
// So a number that is read from memory once is used 64 times, and one read from shared memory 4
// times. "Implicit GEMM": the right matrix of a convolution, im2col of its input, is never built;
// each tile of it is gathered from the image when it is wanted.
#pragma once
#include "common.cuh"

const int TILE = 64;      // rows and columns of a tile of the product
const int DEPTH = 16;     // steps of k for which the tiles are kept
const int SIDE = 4;       // rows and columns of the product in a thread's registers
const int THREADS = 256;  // (TILE / SIDE)^2
const int LOADS = TILE * DEPTH / THREADS;  // numbers of each matrix that a thread copies a step

// How many blocks a multiprocessor should hold at once: so many that some compute while others wait
// for memory, and so few that all that a thread needs fits its share of the registers.
const int BLOCKS = sizeof(real) == 4 ? 3 : 2;

struct Tiles {
    real left[DEPTH][TILE + 4];   // left[k][m]; 4 more, so that a column is not all in one bank
    real right[DEPTH][TILE + 4];  // right[k][p]
};

struct Sums {
    real of[SIDE][SIDE];
};

// The 4 x 4 of the product that is this thread's.
__device__ __forceinline__ int own_row() { return threadIdx.x / (TILE / SIDE) * SIDE; }
__device__ __forceinline__ int own_column() { return threadIdx.x % (TILE / SIDE) * SIDE; }

// Add the product of the two tiles, of which so many rows exist: a warp whose rows are all beyond
// them (the last tile of a layer with few channels has many) has nothing to do.
__device__ __forceinline__ void multiply(const Tiles &tiles, Sums &sums, int rows) {
    if (own_row() >= rows) return;
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
        real left[SIDE], right[SIDE];
#pragma unroll
        for (int i = 0; i < SIDE; i++) {
            left[i] = tiles.left[k][own_row() + i];
            right[i] = tiles.right[k][own_column() + i];
        }
#pragma unroll
        for (int i = 0; i < SIDE; i++)
#pragma unroll
            for (int j = 0; j < SIDE; j++) sums.of[i][j] += left[i] * right[j];
    }
}

// Images (n, channels, pixels) that a product is written to: column p is pixel p % pixels of image
// p / pixels, and row f its channel f.
struct Image {
    real *numbers;
    int64 channels, pixels, columns;
};

// image[n, f, pixel] = sum + bias[f], if there is a bias; then relu, if wanted.
__device__ __forceinline__ void write_image(const Image &image, const Sums &sums, int first_row,
                                            int64 rows, int64 first_column,
                                            const real *__restrict__ bias, bool rectify) {
    for (int j = 0; j < SIDE; j++) {
        int64 p = first_column + own_column() + j;
        if (p >= image.columns) break;
        int64 n = p / image.pixels, pixel = p - n * image.pixels;
        for (int i = 0; i < SIDE; i++) {
            int f = first_row + own_row() + i;
            if (f >= rows) break;
            real value = sums.of[i][j] + (bias ? bias[f] : real(0));
            image.numbers[(n * image.channels + f) * image.pixels + pixel] =
                rectify ? rectified(value) : value;
        }
    }
}

// matrix[f, column] = sum, row by row.
__device__ __forceinline__ void write_matrix(real *__restrict__ matrix, const Sums &sums,
                                             int first_row, int64 rows, int first_column,
                                             int64 columns) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int f = first_row + own_row() + i, column = first_column + own_column() + j;
            if (f < rows && column < columns) matrix[f * columns + column] = sums.of[i][j];
        }
}

// A part of the steps 0 .. depth - 1: those of the blocks that share one tile of the product.
struct Range {
    int64 start, stop;
};

__device__ __forceinline__ Range part_of(int64 depth, int64 part, int64 parts) {
    int64 steps = (depth + parts - 1) / parts;
    steps = (steps + DEPTH - 1) / DEPTH * DEPTH;
    int64 start = part * steps;
    return {start, min(start + steps, depth)};
}

// Copy a tile of a matrix (rows, depth) that lies row by row, zeros beyond its edges. Neighbouring
// threads copy neighbouring k, which are neighbours in memory.
__device__ __forceinline__ void copy_left(Tiles &tiles, const real *__restrict__ matrix,
                                          int first_row, int rows, int start, int depth) {
    int k = threadIdx.x % DEPTH;
    for (int m = threadIdx.x / DEPTH; m < TILE; m += THREADS / DEPTH) {
        bool exists = first_row + m < rows && start + k < depth;
        tiles.left[k][m] = exists ? matrix[(int64)(first_row + m) * depth + start + k] : real(0);
    }
}
