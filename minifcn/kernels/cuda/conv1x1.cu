// The 1x1 convolution: a matrix product over channels, at each pixel (see tiles.cuh). No window, so
// nothing is gathered: an image (C, H * W) is the right matrix as it lies in memory.
#include "tiles.cuh"

// y[n, f, p] = bias[f] + sum over c of weight[f, c] * x[n, c, p]; then relu.
// Rows: f. Columns: (n, p). Steps: c. Blocks: x columns, y rows.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    conv1x1(const real *__restrict__ x, const real *__restrict__ weight,
            const real *__restrict__ bias, real *__restrict__ y, int64 images, int64 channels,
            int64 outputs, int64 pixels, int64 rectify) {
    __shared__ Tiles tiles;
    int64 first_column = (int64)blockIdx.x * TILE, columns = images * pixels;
    int first_row = blockIdx.y * TILE;
    int64 column = first_column + threadIdx.x % TILE;
    const real *source = x + column / pixels * channels * pixels + column % pixels;

    Sums sums = {};
    for (int start = 0; start < channels; start += DEPTH) {
        __syncthreads();
        copy_left(tiles, weight, first_row, outputs, start, channels);
        for (int k = threadIdx.x / TILE; k < DEPTH; k += THREADS / TILE) {
            bool exists = column < columns && start + k < channels;
            tiles.right[k][threadIdx.x % TILE] = exists ? source[(start + k) * pixels] : real(0);
        }
        __syncthreads();
        multiply(tiles, sums, (int)outputs - first_row);
    }

    Image to = {y, outputs, pixels, columns};
    write_image(to, sums, first_row, outputs, first_column, bias, rectify);
}

// weight[f, c] = sum over (n, p) of x[n, c, p] * y[n, f, p].
// Rows: f. Columns: c. Steps: (n, p), shared by `parts` blocks, which write weights[part] (see
// conv2d_weight). Blocks: x columns, y rows, z parts.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    conv1x1_weight(const real *__restrict__ x, const real *__restrict__ y,
                   real *__restrict__ weights, int64 images, int64 channels, int64 outputs,
                   int64 pixels, int64 parts) {
    __shared__ Tiles tiles;
    int first_column = blockIdx.x * TILE, first_row = blockIdx.y * TILE, part = blockIdx.z;
    Range range = part_of(images * pixels, part, parts);
    int k = threadIdx.x % DEPTH;  // neighbouring threads read neighbouring pixels of x and y

    Sums sums = {};
    for (int64 start = range.start; start < range.stop; start += DEPTH) {
        int64 n = (start + k) / pixels, p = (start + k) % pixels;
        __syncthreads();
        for (int m = threadIdx.x / DEPTH; m < TILE; m += THREADS / DEPTH) {
            int f = first_row + m, c = first_column + m;
            bool exists = f < outputs && start + k < range.stop;
            tiles.left[k][m] = exists ? y[(n * outputs + f) * pixels + p] : real(0);
            exists = c < channels && start + k < range.stop;
            tiles.right[k][m] = exists ? x[(n * channels + c) * pixels + p] : real(0);
        }
        __syncthreads();
        multiply(tiles, sums, (int)outputs - first_row);
    }

    weights += (int64)part * outputs * channels;
    write_matrix(weights, sums, first_row, outputs, first_column, channels);
}
