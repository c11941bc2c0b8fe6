/* Depthwise 3x3: four channels at a time are turned from NHWC into rows of 16-bit values, three rows in a ring. */
#include "simd.h"

/* Two neighbouring columns of four channels -> a pair in each of four rows, `pitch` pairs apart. */
INLINE void turn(uint32_t left, uint32_t right, uint32_t *row, int pitch) {
    uint32_t left02 = (uint32_t)even(left), left13 = (uint32_t)odd(left);
    uint32_t right02 = (uint32_t)even(right), right13 = (uint32_t)odd(right);
    row[0] = (left02 & 0xffff) | right02 << 16, row[2 * pitch] = left02 >> 16 | (right02 & 0xffff0000);
    row[pitch] = (left13 & 0xffff) | right13 << 16, row[3 * pitch] = left13 >> 16 | (right13 & 0xffff0000);
}

/* Row `iy` of four channels -> four rows of `pitch` pairs; the zero point outside of the image. SAME padding puts at
   most one column before it. */
static NOINLINE void turn_row(const convolution_t *p, const int8_t *input, int iy, int pitch, uint32_t *row) {
    uint32_t zero = (uint8_t)p->input_zero * 0x01010101u, *end = row + pitch;
    int step = p->input_channels, left = iy >= 0 && iy < p->input_height ? p->input_width : 0;
    const int8_t *from = input + iy * p->input_width * step;
    if (left && p->padding_x) turn(zero, word_at(from), row++, pitch), from += step, left--;
    for (; left >= 2; left -= 2, from += 2 * step) turn(word_at(from), word_at(from + step), row++, pitch);
    if (left) turn(word_at(from), zero, row++, pitch);
    while (row < end) turn(zero, zero, row++, pitch);
}

/* One input row's share of four neighbouring outputs. `weight` has the bytes w0 w1 w1 w2. */
INLINE void accumulate(int32_t sum[4], const int16x2_t *x, uint32_t weight, int stride) {
    int16x2_t w01 = even(weight), w12 = odd(weight);
    /* First the share of w0 and w1 or of w0, then the rest: no SMLAD waits for the one before */
    if (stride == 1) {
        sum[0] = __smlad(x[0], w01, sum[0]), sum[1] = __smlatb(x[0], w01, sum[1]);
        sum[2] = __smlad(x[1], w01, sum[2]), sum[3] = __smlatb(x[1], w01, sum[3]);
        sum[0] = __smlabt(x[1], w12, sum[0]), sum[1] = __smlad(x[1], w12, sum[1]);
        sum[2] = __smlabt(x[2], w12, sum[2]), sum[3] = __smlad(x[2], w12, sum[3]);
    } else {
        sum[0] = __smlad(x[0], w01, sum[0]), sum[1] = __smlad(x[1], w01, sum[1]);
        sum[0] = __smlabt(x[1], w12, sum[0]), sum[2] = __smlad(x[2], w01, sum[2]);
        sum[1] = __smlabt(x[2], w12, sum[1]), sum[3] = __smlad(x[3], w01, sum[3]);
        sum[2] = __smlabt(x[3], w12, sum[2]), sum[3] = __smlabt(x[4], w12, sum[3]);
    }
}

/* Four neighbouring outputs of one channel, not yet requantised. */
INLINE void depthwise_four(int32_t sum[4], int32_t bias, const int16x2_t *const row[3], const uint32_t *weights, int stride) {
    sum[0] = sum[1] = sum[2] = sum[3] = bias;
#pragma GCC unroll 3
    for (int ky = 0; ky < 3; ky++) accumulate(sum, row[ky], weights[ky], stride);
}

/* One output row of one channel. */
INLINE void depthwise_row(const convolution_t *p, const int16x2_t *const rows[3], const uint32_t *weights, int channel,
                          int8_t *output, int stride, int fast) {
    int step = p->output_channels, left = p->output_width;
    int32_t bias = p->bias[channel], sum[4];
    channel_t to = channel_of(p, channel);
    const int16x2_t *row[3] = {rows[0], rows[1], rows[2]};
    for (; left >= 4; left -= 4, output += 4 * step) {
        depthwise_four(sum, bias, row, weights, stride);
        finish(to, sum, output, step, fast);
        row[0] += 2 * stride, row[1] += 2 * stride, row[2] += 2 * stride;
    }
    if (left) depthwise_four(sum, bias, row, weights, stride);
    for (int i = 0; i < left; i++) output[i * step] = finish_one(to, sum[i], fast);
}

typedef void row_function(const convolution_t *, const int16x2_t *const[3], const uint32_t *, int, int8_t *);
#define ROW_FUNCTION(name, stride, fast)                                                                                   \
    static NOINLINE void name(const convolution_t *p, const int16x2_t *const row[3], const uint32_t *weights, int channel, \
                              int8_t *output) {                                                                            \
        depthwise_row(p, row, weights, channel, output, stride, fast);                                                     \
    }
ROW_FUNCTION(row_stride_1, 1, 0)
ROW_FUNCTION(row_stride_2, 2, 0)
ROW_FUNCTION(row_stride_1_fast, 1, 1)
ROW_FUNCTION(row_stride_2_fast, 2, 1)

void simd_depthwise_3x3(const convolution_t *p, const int8_t *input, int8_t *output, void *scratch) {
    int channels = p->output_channels, stride = p->stride_x, pitch = ((p->output_width + 3) / 4 * 4 * stride + 3) / 2;
    row_function *compute = stride == 1 ? (p->fast ? row_stride_1_fast : row_stride_1)
                                        : (p->fast ? row_stride_2_fast : row_stride_2);
    for (int group = 0; group < channels; group += 4) {
        int first = group + 4 <= channels ? group : channels - 4; /* the last four may overlap those before */
        uint32_t *start = scratch;
        uint32_t *slot[3] = {start, start + 4 * pitch, start + 8 * pitch}; /* the rows under the kernel, oldest first */
        for (int ky = 0; ky < 3 - stride; ky++) turn_row(p, input + first, ky - p->padding_y, pitch, slot[ky + stride]);
        for (int oy = 0; oy < p->output_height; oy++) {
            for (int i = 0; i < stride; i++) { /* the oldest row makes place for the next one */
                uint32_t *oldest = slot[0];
                slot[0] = slot[1], slot[1] = slot[2], slot[2] = oldest;
                turn_row(p, input + first, oy * stride - p->padding_y + 3 - stride + i, pitch, oldest);
            }
            for (int c = first; c < first + 4; c++) {
                const int16x2_t *row[3];
                for (int ky = 0; ky < 3; ky++) row[ky] = (int16x2_t *)slot[ky] + (c - first) * pitch;
                compute(p, row, (const uint32_t *)p->weights + 3 * c, c, output + oy * p->output_width * channels + c);
            }
        }
    }
}
