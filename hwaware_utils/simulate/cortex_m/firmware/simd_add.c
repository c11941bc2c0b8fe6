/* Addition: a scaled int8 has only 256 values, so both scalings become tables. */
#include "simd.h"

void simd_add(const add_t *p, const int8_t *first, const int8_t *second, int8_t *output, void *scratch) {
    int32_t *table = (int32_t *)scratch + 128, *other = table + 256;
    for (int i = -128; i < 128; i++) {
        table[i] = requantize((i - p->input_zero) * (1 << 20), p->first_multiplier, p->first_shift);
        other[i] = requantize((i - p->second_zero) * (1 << 20), p->second_multiplier, p->second_shift);
    }
    channel_t to = {p->sum_multiplier, p->sum_shift, p->output_zero, p->low, p->high};
    for (int i = 0; i < p->count; i++)
        output[i] = finish_one(to, table[first[i]] + other[second[i]], 1);
}
