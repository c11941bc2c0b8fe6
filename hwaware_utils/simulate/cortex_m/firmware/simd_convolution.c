/* Convolutions and dense layers: columns of input values times packed weights. */
#include "simd.h"

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
        int32_t bias = p->bias[channel], next_bias = p->bias[channel + 1];
        int32_t sum[4] = {bias, bias, bias, bias}, next[4] = {next_bias, next_bias, next_bias, next_bias};
        const uint32_t *end = weight + 2 * quads;
        const int16x2_t *x = columns;
        do {
#pragma GCC unroll 2
            for (int half = 0; half < 2; half++, x += 4) {
                uint32_t word = *weight++;
                int16x2_t a = even(word), b = odd(word);
#pragma GCC unroll 4
                for (int i = 0; i < 4; i++) sum[i] = __smlad(a, x[i], sum[i]), next[i] = __smlad(b, x[i], next[i]);
            }
        } while (weight != end);
        int odd_end = channel + 1 == channels; /* the packed partner of a last odd channel is no channel */
        channel_t to = channel_of(p, channel), to_next = channel_of(p, channel + 1);
        finish(to, sum, output + channel, channels, fast);
        if (!odd_end) finish(to_next, next, output + channel + 1, channels, fast);
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
        output[channel] = finish_one(channel_of(p, channel), a, p->fast);
        if (channel + 1 < p->output_channels) output[channel + 1] = finish_one(channel_of(p, channel + 1), b, p->fast);
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
            int at = pixel + i, width = p->output_width;
            run[i] = direct ? input + at * run_bytes : patches + i * 4 * quads;
            if (!direct) gather(p, input, at / width, at % width, patches + i * 4 * quads);
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
