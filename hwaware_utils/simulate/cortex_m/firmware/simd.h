/* What the SIMD kernels share: the instructions of Armv7E-M (two 16-bit MACs in one SMLAD) as functions.

   Two ideas carry them. The input's zero point is folded into the bias by the generator, so that int8 values are
   multiplied as they are; outside of the image stands the zero point itself. And each value, once widened to 16 bits,
   serves several outputs: four pixels by two channels in a convolution, four neighbours in a depthwise row. */
#ifndef SIMD_H
#define SIMD_H
#include <arm_acle.h>
#include "kernels.h"
#include "requantize.h"
#ifndef __ARM_FEATURE_DSP
#error "the SIMD kernels need the DSP extension: Cortex-M4, M7, M33 ..."
#endif

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
INLINE int16x2_t odd(uint32_t word) { return __sxtb16(word >> 8 | word << 24); }

/* What one channel's sums go through, in registers: read before the first store, since an int8 store may alias anything. */
typedef struct { int32_t multiplier, shift, zero, low, high; } channel_t;

INLINE channel_t channel_of(const convolution_t *p, int channel) {
    return (channel_t){p->multiplier[channel], p->shift[channel], p->output_zero, p->low, p->high};
}

/* `fast` gives the result of requantize() in five instructions, for shifts to the right by one bit or more. `multiplier`
   is 2 * fraction - 2^32: SMMLAR adds x * 2^32 back, so its rounded upper half is the doubled product. ASRS leaves the
   last bit that it drops in the carry, and ADC adds that bit, the second rounding, together with the zero point. */
INLINE int32_t multiply_high(int32_t x, int32_t multiplier) {
    int32_t high;
    __asm__("smmlar %0, %1, %2, %1" : "=r"(high) : "r"(x), "r"(multiplier));
    return high;
}
INLINE int32_t round_shift(int32_t high, int32_t right, int32_t zero) {
    __asm__("asrs %0, %0, %1\n\tadc %0, %0, %2" : "+r"(high) : "r"(right), "r"(zero) : "cc");
    return high;
}

INLINE int8_t finish_one(channel_t to, int32_t sum, int fast) {
    if (!fast) return clamp(requantize(sum, to.multiplier, to.shift) + to.zero, to.low, to.high);
    int32_t high = multiply_high(sum, to.multiplier);
    return (int8_t)__ssat(round_shift(high + (high >> 31), to.shift, to.zero), 8);
}

/* Four sums of one channel -> output[0], output[step] ...; abreast, so that no instruction waits for the one before. */
INLINE void finish(channel_t to, const int32_t sum[4], int8_t *output, int step, int fast) {
    int32_t v[4];
#define EACH _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
    if (fast) {
        EACH v[i] = multiply_high(sum[i], to.multiplier);
        EACH v[i] += v[i] >> 31;
        EACH v[i] = round_shift(v[i], to.shift, to.zero);
        EACH v[i] = __ssat(v[i], 8);
    } else {
        EACH v[i] = finish_one(to, sum[i], 0);
    }
    EACH output[i * step] = (int8_t)v[i];
#undef EACH
}

#endif
