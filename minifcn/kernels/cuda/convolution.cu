// The three convolutions: each reads two of (x, weight, y) and computes the third, as one tiled
// matrix product (see tiles.cuh). A block of 256 threads computes 64 x 64 numbers of the result.
#include "tiles.cuh"

struct Convolution {
    int images, channels, outputs, groups;  // N, C, F; a group has C / groups and F / groups
    Windows windows;                        // over x; (oh, ow) is the size of y
};

// What one step k of the product means, worked out once for all threads of a block.
struct Step {
    int64 left, right;  // where its numbers start in what the two matrices are taken from
    int h, w;           // how far its pixel is from the one of step 0
};

// y[n, f, oh, ow] = bias[f] + sum over (c, i, j) of weight[f, c, i, j] * x[n, c, h, w]; then relu.
// Rows: f. Columns: (n, oh, ow). Steps: (c, i, j). Blocks: x columns, y rows, z groups.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    conv2d(const real *__restrict__ x, const real *__restrict__ weight,
           const real *__restrict__ bias, real *__restrict__ y, const Convolution s,
           int64 rectify) {
    __shared__ Tiles tiles;
    __shared__ Step steps[DEPTH];
    const Windows &at = s.windows;
    int channels = s.channels / s.groups, outputs = s.outputs / s.groups, group = blockIdx.z;
    int taps = at.kh * at.kw, depth = channels * taps;
    int64 pixels = (int64)at.oh * at.ow, columns = s.images * pixels;
    int64 first_column = (int64)blockIdx.x * TILE;
    int first_row = blockIdx.y * TILE;
    weight += (int64)group * outputs * depth;

    // This thread gathers numbers of one column, so of one window: of which image, and from where.
    int64 column = first_column + threadIdx.x % TILE;
    Place window = place_of(column, at.oh, at.ow);
    int h = window.row * at.stride_h - at.padding_h, w = window.column * at.stride_w - at.padding_w;
    const real *image = x + (window.plane * s.channels + group * channels) * at.h * at.w;

    Sums sums = {};
    for (int start = 0; start < depth; start += DEPTH) {
        // Nobody reads the last steps any more: the barrier after the copies has seen to that.
        if (threadIdx.x < DEPTH) {
            int k = start + threadIdx.x, c = k / taps, i = k % taps / at.kw, j = k % at.kw;
            steps[threadIdx.x] = {0, (int64)c * at.h * at.w, i * at.dilation_h, j * at.dilation_w};
        }
        __syncthreads();
        copy_left(tiles, weight, first_row, outputs, start, depth);
        for (int k = threadIdx.x / TILE; k < DEPTH; k += THREADS / TILE) {
            const Step &step = steps[k];
            int row = h + step.h, col = w + step.w;
            bool exists = column < columns && start + k < depth && inside(row, col, at);
            tiles.right[k][threadIdx.x % TILE] =
                exists ? image[step.right + (int64)row * at.w + col] : real(0);
        }
        __syncthreads();
        multiply(tiles, sums, outputs - first_row);
    }

    Image to = {y + group * outputs * pixels, s.outputs, pixels, columns};
    write_image(to, sums, first_row, outputs, first_column, bias ? bias + group * outputs : bias,
                rectify);
}

// Along one axis: the pixels phase, phase + stride, ... meet only every step-th tap of the kernel.
struct Phase {
    int pixels;             // how many they are
    int first, step, taps;  // they meet the taps i = first + t * step, for t < taps
};

__device__ Phase phase_of(int phase, int size, int kernel, int stride, int padding, int dilation) {
    int a = stride, b = dilation;  // their greatest common divisor, as Euclid found it
    while (b != 0) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    int step = stride / a, first = 0, last = min(step, kernel) - 1;
    while (first <= last && (phase + padding - first * dilation) % stride != 0) first++;
    int taps = first <= last ? (kernel - 1 - first) / step + 1 : 0;
    int pixels = phase < size ? (size - phase - 1) / stride + 1 : 0;
    return {pixels, first, step, taps};
}

// x[n, c, h, w] = sum over (f, i, j) of weight[f, c, i, j] * y[n, f, oh, ow]: conv2d's adjoint, the
// gradient with respect to its input. Each pixel gathers what the windows over it send back:
// oh = (h + padding - i * dilation) / stride, where that is a whole number and a row of y.
// With a stride s only one tap in s fits, and which one depends on h modulo s. So the pixels are
// sorted into s * s phases; in a phase all meet the same taps, and no step of the sum is wasted.
// Rows: c. Columns: the (n, h, w) of a phase. Steps: (f, i, j). Blocks: x columns of all phases,
// `tiles_a_phase` each; y rows; z groups.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    conv_transpose2d(const real *__restrict__ y, const real *__restrict__ weight,
                     real *__restrict__ x, const Convolution s, int64 tiles_a_phase) {
    __shared__ Tiles tiles;
    __shared__ Step steps[DEPTH];
    const Windows &at = s.windows;
    int channels = s.channels / s.groups, outputs = s.outputs / s.groups, group = blockIdx.z;
    int phase = blockIdx.x / tiles_a_phase;
    int phase_h = phase / at.stride_w, phase_w = phase % at.stride_w;
    Phase rows = phase_of(phase_h, at.h, at.kh, at.stride_h, at.padding_h, at.dilation_h);
    Phase cols = phase_of(phase_w, at.w, at.kw, at.stride_w, at.padding_w, at.dilation_w);
    int64 pixels = (int64)rows.pixels * cols.pixels, columns = s.images * pixels;
    int64 first_column = (int64)(blockIdx.x % tiles_a_phase) * TILE;
    if (first_column >= columns) return;  // all threads of the block alike
    int first_row = blockIdx.y * TILE, taps = rows.taps * cols.taps, depth = outputs * taps;
    int64 stamp = (int64)channels * at.kh * at.kw, plane = (int64)at.oh * at.ow;
    weight += group * outputs * stamp;

    int64 column = first_column + threadIdx.x % TILE;
    Place pixel = place_of(column, rows.pixels, cols.pixels);
    const real *image = y + (pixel.plane * s.outputs + group * outputs) * plane;

    Sums sums = {};
    for (int start = 0; start < depth; start += DEPTH) {
        if (threadIdx.x < DEPTH) {
            int k = start + threadIdx.x, f = k / taps;
            int i = rows.first + k % taps / cols.taps * rows.step;
            int j = cols.first + k % cols.taps * cols.step;
            int h = (phase_h + at.padding_h - i * at.dilation_h) / at.stride_h;
            int w = (phase_w + at.padding_w - j * at.dilation_w) / at.stride_w;
            steps[threadIdx.x] = {f * stamp + i * at.kw + j, f * plane, h, w};
        }
        __syncthreads();
        for (int m = threadIdx.x / DEPTH; m < TILE; m += THREADS / DEPTH) {
            int k = threadIdx.x % DEPTH, c = first_row + m;
            bool exists = c < channels && start + k < depth;
            tiles.left[k][m] =
                exists ? weight[steps[k].left + (int64)c * at.kh * at.kw] : real(0);
        }
        for (int k = threadIdx.x / TILE; k < DEPTH; k += THREADS / TILE) {
            const Step &step = steps[k];
            int row = pixel.row + step.h, col = pixel.column + step.w;
            bool exists = column < columns && start + k < depth && row >= 0 && row < at.oh &&
                          col >= 0 && col < at.ow;
            tiles.right[k][threadIdx.x % TILE] =
                exists ? image[step.right + (int64)row * at.ow + col] : real(0);
        }
        __syncthreads();
        multiply(tiles, sums, channels - first_row);
    }

    for (int j = 0; j < SIDE; j++) {
        int64 p = first_column + own_column() + j;
        if (p >= columns) break;
        Place to = place_of(p, rows.pixels, cols.pixels);
        int h = to.row * at.stride_h + phase_h, w = to.column * at.stride_w + phase_w;
        for (int i = 0; i < SIDE; i++) {
            int c = first_row + own_row() + i;
            if (c >= channels) break;
            int64 target = to.plane * s.channels + group * channels + c;
            x[(target * at.h + h) * at.w + w] = sums.of[i][j];
        }
    }
}

// weight[f, c, i, j] = sum over (n, oh, ow) of x[n, c, h, w] * y[n, f, oh, ow].
// Rows: f. Columns: (c, i, j). Steps: (n, oh, ow), far more than there are rows or columns; so
// `parts` blocks share a tile, and each writes its part of the sums to weights[part], which
// sum_parts adds up in a fixed order. Blocks: x columns, y rows, z groups times parts.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    conv2d_weight(const real *__restrict__ x, const real *__restrict__ y,
                  real *__restrict__ weights, const Convolution s, int64 parts) {
    __shared__ Tiles tiles;
    __shared__ Step steps[DEPTH], taps_of[TILE];
    const Windows &at = s.windows;
    int channels = s.channels / s.groups, outputs = s.outputs / s.groups;
    int group = blockIdx.z / parts, part = blockIdx.z % parts;
    int taps = at.kh * at.kw, columns = channels * taps;
    int64 pixels = (int64)at.oh * at.ow, plane = (int64)at.h * at.w;
    int first_column = blockIdx.x * TILE, first_row = blockIdx.y * TILE;
    x += (int64)group * channels * plane;
    y += (int64)group * outputs * pixels;
    Range range = part_of(s.images * pixels, part, parts);

    if (threadIdx.x < TILE) {  // what each column means: a channel, and a tap of its window
        int column = first_column + threadIdx.x, c = column / taps;
        taps_of[threadIdx.x] = {0, c * plane, column % taps / at.kw * at.dilation_h,
                                column % at.kw * at.dilation_w};
    }

    Sums sums = {};
    for (int64 start = range.start; start < range.stop; start += DEPTH) {
        if (threadIdx.x < DEPTH) {
            Place window = place_of(start + threadIdx.x, at.oh, at.ow);
            int64 pixel = (int64)window.row * at.ow + window.column;
            steps[threadIdx.x] = {window.plane * s.outputs * pixels + pixel,
                                  window.plane * s.channels * plane,
                                  window.row * at.stride_h - at.padding_h,
                                  window.column * at.stride_w - at.padding_w};
        }
        __syncthreads();
        int k = threadIdx.x % DEPTH;  // neighbouring threads read neighbouring pixels of x and y
        const Step &step = steps[k];
        for (int m = threadIdx.x / DEPTH; m < TILE; m += THREADS / DEPTH) {
            bool exists = first_row + m < outputs && start + k < range.stop;
            tiles.left[k][m] = exists ? y[step.left + (first_row + m) * pixels] : real(0);
            const Step &tap = taps_of[m];
            int row = step.h + tap.h, col = step.w + tap.w;
            exists = first_column + m < columns && start + k < range.stop && inside(row, col, at);
            tiles.right[k][m] =
                exists ? x[step.right + tap.right + (int64)row * at.w + col] : real(0);
        }
        __syncthreads();
        multiply(tiles, sums, outputs - first_row);
    }

    weights += ((int64)part * s.outputs + group * outputs) * columns;
    write_matrix(weights, sums, first_row, outputs, first_column, columns);
}
