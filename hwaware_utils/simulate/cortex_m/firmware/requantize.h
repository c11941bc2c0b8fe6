/* From a 32-bit sum to an int8 output, rounded twice exactly as TFLite-Micro does it. */
#ifndef REQUANTIZE_H
#define REQUANTIZE_H
#include <stdint.h>

/* x * fraction / 2^31 * 2^shift. First rounding: gemmlowp's SaturatingRoundingDoublingHighMul, which for the values
   met here is floor((x * fraction + 2^30) / 2^31). Second: RoundingDivideByPOT, halves away from zero. */
static inline int32_t requantize(int32_t x, int32_t fraction, int shift) {
    int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * fraction;
    int32_t high = (int32_t)((product + (1ll << 30)) >> 31);
    return right ? (high + (high >> 31) + (1 << (right - 1))) >> right : high;
}

static inline int8_t clamp(int32_t value, int32_t low, int32_t high) {
    value = value < low ? low : value;
    return (int8_t)(value > high ? high : value);
}

#endif
