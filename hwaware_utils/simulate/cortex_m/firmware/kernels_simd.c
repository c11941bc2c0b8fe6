/* Convolutions, dense layers and additions with the SIMD instructions of Armv7E-M (two 16-bit MACs in one SMLAD).

   Two ideas carry them. The input's zero point is folded into the bias by the generator, so that int8 values are
   multiplied as they are; outside of the image stands the zero point itself. And each value, once widened to 16 bits,
   serves several outputs: four pixels by two channels in a convolution, four neighbours in a depthwise row. */
#ifdef __ARM_FEATURE_DSP
#include "kernels.h"
#include "requantize.h"

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline)) /* inner loops keep all registers to themselves */

/* Unaligned: the Cortex-M7 loads a word from any address. */
INLINE uint32_t word_at(const int8_t *from) {
    uint32_t word;
    __builtin_memcpy(&word, from, 4);
    return word;
}
/* Bytes 0 and 2, or 1 and 3, as two signed 16-bit values. */
INLINE int16x2_t even(uint32_t word) { return __sxtb16(word); }
INLINE int16x2_t odd(uint32_t word) { return __sxtb16(__ror(word, 8)); }

/* What one channel's sums go through, in registers: read before the first store, since an int8 store may alias anything. */
typedef struct { int32_t multiplier, shift, zero, low, high; } channel_t;

INLINE channel_t channel_of(const convolution_t *p, int channel) {
    return (channel_t){p->multiplier[channel], p->shift[channel], p->output_zero, p->low, p->high};
}

INLINE int8_t finish(channel_t to, int32_t sum, int fast) {
    if (fast) return requantize_fast(sum, to.multiplier, to.shift, to.zero);
    return clamp(requantize(sum, to.multiplier, to.shift) + to.zero, to.low, to.high);
}

/* ---- convolution: columns of input values times packed weights ------------------------------------------------- */

enum { PIXELS = 4 };

/* Four runs of `quads` x 4 bytes -> columns: of each quad the even pairs of the four pixels, then the odd ones.
   The last quad may read three bytes past its run: their weights are zero, and the arena ends later. */
static NOINLINE void widen(const int8_t *const run[PIXELS], int quads, int16x2_t *columns) {
    const int8_t *a = run[0], *b = run[1], *c = run[2], *d = run[3];
    for (int i = 0; i < 4 * quads; i += 4, columns += 8) {
        uint32_t wa = word_at(a + i), wb = word_at(b + i), wc = word_at(c + i), wd = word_at(d + i);
        columns[0] = even(wa), columns[1] = even(wb), columns[2] = even(wc), columns[3] = even(wd);
        columns[4] = odd(wa), columns[5] = odd(wb), columns[6] = odd(wc), columns[7] = odd(wd);
    }
}

/* Two channels of four pixels at a time: 32 MACs for eight input words and two weight words. */
INLINE void multiply_four(const convolution_t *p, const int16x2_t *columns, int quads, int8_t *output, int fast) {
    const uint32_t *weight = (const uint32_t *)p->weights;
    int channels = p->output_channels;
    for (int channel = 0; channel < channels; channel += 2) {
        int32_t a0 = p->bias[channel], b0 = p->bias[channel + 1];
        int32_t a1 = a0, a2 = a0, a3 = a0, b1 = b0, b2 = b0, b3 = b0;
        const uint32_t *end = weight + 2 * quads;
        const int16x2_t *x = columns;
        do {
#pragma GCC unroll 2
            for (int half = 0; half < 2; half++, x += 4) {
                uint32_t word = *weight++;
                int16x2_t a = even(word), b = odd(word);
                a0 = __smlad(a, x[0], a0), b0 = __smlad(b, x[0], b0);
                a1 = __smlad(a, x[1], a1), b1 = __smlad(b, x[1], b1);
                a2 = __smlad(a, x[2], a2), b2 = __smlad(b, x[2], b2);
                a3 = __smlad(a, x[3], a3), b3 = __smlad(b, x[3], b3);
            }
        } while (weight != end);
        channel_t to = channel_of(p, channel), next = channel_of(p, channel + 1);
        int8_t *pixel = output + channel;
        pixel[0] = finish(to, a0, fast), pixel[channels] = finish(to, a1, fast);
        pixel[2 * channels] = finish(to, a2, fast), pixel[3 * channels] = finish(to, a3, fast);
        if (++pixel == output + channels) break; /* an odd channel count: the packed partner is no channel */
        pixel[0] = finish(next, b0, fast), pixel[channels] = finish(next, b1, fast);
        pixel[2 * channels] = finish(next, b2, fast), pixel[3 * channels] = finish(next, b3, fast);
    }
}

/* The same for a single pixel: dense layers, and the last pixel of 3 x 3. */
static NOINLINE void multiply_one(const convolution_t *p, const int8_t *run, int quads, int8_t *output) {
    const uint32_t *weight = (const uint32_t *)p->weights;
    for (int channel = 0; channel < p->output_channels; channel += 2) {
        int32_t a = p->bias[channel], b = p->bias[channel + 1];
        for (int i = 0; i < quads; i++, weight += 2) {
            uint32_t x = word_at(run + 4 * i);
            a = __smlad(even(weight[0]), even(x), a), b = __smlad(odd(weight[0]), even(x), b);
            a = __smlad(even(weight[1]), odd(x), a), b = __smlad(odd(weight[1]), odd(x), b);
        }
        output[channel] = finish(channel_of(p, channel), a, p->fast);
        if (channel + 1 < p->output_channels) output[channel + 1] = finish(channel_of(p, channel + 1), b, p->fast);
    }
}

INLINE int8_t *copy(int8_t *to, const int8_t *from, int count) {
    for (; count >= 4; count -= 4, from += 4, to += 4) __builtin_memcpy(to, from, 4);
    for (; count; count--) *to++ = *from++;
    return to;
}

/* The values under the kernel at output place (oy, ox), one after the other; the zero point outside of the image. */
static NOINLINE void gather(const convolution_t *p, const int8_t *input, int oy, int ox, int8_t *patch) {
    int channels = p->input_channels, width = p->input_width, left = ox * p->stride_x - p->padding_x;
    int whole = p->dilation_x == 1 && left >= 0 && left + p->kernel_x <= width; /* a row of the kernel is one piece */
    for (int ky = 0; ky < p->kernel_y; ky++) {
        int iy = oy * p->stride_y - p->padding_y + ky * p->dilation_y, row_inside = iy >= 0 && iy < p->input_height;
        if (whole && row_inside) {
            patch = copy(patch, input + (iy * width + left) * channels, p->kernel_x * channels);
            continue;
        }
        for (int kx = 0; kx < p->kernel_x; kx++) {
            int ix = left + kx * p->dilation_x, inside = row_inside && ix >= 0 && ix < width;
            const int8_t *from = input + (iy * width + ix) * channels;
            for (int c = 0; c < channels; c++) *patch++ = inside ? from[c] : (int8_t)p->input_zero;
        }
    }
}

static NOINLINE void four_fast(const convolution_t *p, const int16x2_t *columns, int quads, int8_t *output) {
    multiply_four(p, columns, quads, output, 1);
}
static NOINLINE void four_any(const convolution_t *p, const int16x2_t *columns, int quads, int8_t *output) {
    multiply_four(p, columns, quads, output, 0);
}

void simd_convolution(const convolution_t *p, const int8_t *input, int8_t *output, void *scratch) {
    int run_bytes = p->kernel_y * p->kernel_x * p->input_channels, quads = (run_bytes + 3) / 4;
    int pixels = p->output_height * p->output_width;
    int direct = p->kernel_y == 1 && p->kernel_x == 1 && p->stride_y == 1 && p->stride_x == 1;
    int16x2_t *columns = scratch;
    int8_t *patches = (int8_t *)(columns + 8 * quads);
    for (int pixel = 0; pixel < pixels;) {
        int left = pixels - pixel, count = pixels < PIXELS || left == 1 ? 1 : PIXELS;
        if (count > left) pixel = pixels - PIXELS; /* the last four may overlap those before */
        const int8_t *run[PIXELS];
        for (int i = 0; i < count; i++) {
            run[i] = direct ? input + (pixel + i) * run_bytes : patches + i * 4 * quads;
            if (!direct) gather(p, input, (pixel + i) / p->output_width, (pixel + i) % p->output_width, patches + i * 4 * quads);
        }
        if (count == 1) {
            multiply_one(p, run[0], quads, output + pixel * p->output_channels);
        } else {
            widen(run, quads, columns);
            (p->fast ? four_fast : four_any)(p, columns, quads, output + pixel * p->output_channels);
        }
        pixel += count;
    }
}

/* ---- depthwise 3x3: four channels are turned from NHWC into rows of 16-bit values ------------------------------ */

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
    if (stride == 1) {
        sum[0] = __smlabt(x[1], w12, __smlad(x[0], w01, sum[0]));
        sum[1] = __smlad(x[1], w12, __smlatb(x[0], w01, sum[1]));
        sum[2] = __smlabt(x[2], w12, __smlad(x[1], w01, sum[2]));
        sum[3] = __smlad(x[2], w12, __smlatb(x[1], w01, sum[3]));
    } else {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) sum[i] = __smlabt(x[i + 1], w12, __smlad(x[i], w01, sum[i]));
    }
}

/* Four neighbouring outputs of one channel, not yet requantised. */
INLINE void depthwise_four(int32_t sum[4], int32_t bias, const int16x2_t *const row[3], const uint32_t *weights, int stride) {
    sum[0] = sum[1] = sum[2] = sum[3] = bias;
#pragma GCC unroll 3
    for (int ky = 0; ky < 3; ky++) accumulate(sum, row[ky], weights[ky], stride);
}

/* One output row of one channel. */
INLINE void depthwise_row(const convolution_t *p, const int16x2_t *row[3], const uint32_t *weights, int channel, int8_t *output,
                          int stride, int fast) {
    int step = p->output_channels, left = p->output_width;
    int32_t bias = p->bias[channel], sum[4];
    channel_t to = channel_of(p, channel);
    for (; left >= 4; left -= 4, output += 4 * step) {
        depthwise_four(sum, bias, row, weights, stride);
        output[0] = finish(to, sum[0], fast), output[step] = finish(to, sum[1], fast);
        output[2 * step] = finish(to, sum[2], fast), output[3 * step] = finish(to, sum[3], fast);
        row[0] += 2 * stride, row[1] += 2 * stride, row[2] += 2 * stride;
    }
    if (left) depthwise_four(sum, bias, row, weights, stride);
    for (int i = 0; i < left; i++) output[i * step] = finish(to, sum[i], fast);
}

typedef void row_function(const convolution_t *, const int16x2_t *[3], const uint32_t *, int, int8_t *);
#define ROW_FUNCTION(name, stride, fast)                                                                                   \
    static NOINLINE void name(const convolution_t *p, const int16x2_t *row[3], const uint32_t *weights, int channel,       \
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
        uint32_t *start = scratch, *slot[3] = {start, start + 4 * pitch, start + 8 * pitch}; /* the rows under the kernel, oldest first */
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

/* ---- addition: a scaled int8 has only 256 values, so both scalings become tables -------------------------------- */

void simd_add(const add_t *p, const int8_t *first, const int8_t *second, int8_t *output, void *scratch) {
    int32_t *table = (int32_t *)scratch + 128, *other = table + 256;
    for (int i = -128; i < 128; i++) {
        table[i] = requantize((i - p->input_zero) * (1 << 20), p->first_multiplier, p->first_shift);
        other[i] = requantize((i - p->second_zero) * (1 << 20), p->second_multiplier, p->second_shift);
    }
    for (int i = 0; i < p->count; i++)
        output[i] = requantize_fast(table[first[i]] + other[second[i]], p->sum_multiplier, p->sum_shift, p->output_zero);
}
#endif
