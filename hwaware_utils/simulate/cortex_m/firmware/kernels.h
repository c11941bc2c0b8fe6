/* INT8 kernels of the generated firmware. Activations are NHWC, one image at a time. */
#ifndef KERNELS_H
#define KERNELS_H
#include <stdint.h>

/* A convolution, depthwise convolution or dense layer (a 1x1 convolution of `input_width` pixels).
   portable_*: weights OHWI (depthwise 1HWC), the bias of the file, fraction and shift of the multiplier.
   simd_*:     weights and bias packed by the generator (packing.py says how). `fast` says that every channel shifts
               right by at least one bit and that the output range is all of int8; `multiplier` then holds
               2 * fraction - 2^32, and `shift` the bits to shift right. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int16_t input_height, input_width, input_channels;
    int16_t output_height, output_width, output_channels;
    int16_t kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x, padding_y, padding_x;
    int16_t input_zero, output_zero, low, high;
    int16_t fast;
} convolution_t;

/* Both inputs are shifted left by 20 bits, scaled, summed and scaled again. */
typedef struct {
    int32_t count, first_multiplier, second_multiplier, sum_multiplier;
    int16_t first_shift, second_shift, sum_shift;
    int16_t input_zero, second_zero, output_zero, low, high;
} add_t;

/* Mean over height and width; the division by `pixels` stands in the multiplier. */
typedef struct {
    int32_t pixels, channels, multiplier;
    int16_t shift, input_zero, output_zero, low, high;
} mean_t;

typedef struct {
    int16_t input_height, input_width, channels, output_height, output_width, padding_y, padding_x, output_zero;
} pad_t;

/* From one int8 scale to another. */
typedef struct {
    int32_t count, multiplier;
    int16_t shift, input_zero, output_zero;
} quantize_t;

void portable_convolution(const convolution_t *p, const int8_t *input, int8_t *output);
void portable_depthwise(const convolution_t *p, const int8_t *input, int8_t *output);
void portable_add(const add_t *p, const int8_t *first, const int8_t *second, int8_t *output);
void mean(const mean_t *p, const int8_t *input, int8_t *output);
void pad(const pad_t *p, const int8_t *input, int8_t *output);
void quantize(const quantize_t *p, const int8_t *input, int8_t *output);

/* `scratch` is working memory inside the arena; the generator gives each layer what its kernel asks for. */
void simd_convolution(const convolution_t *p, const int8_t *input, int8_t *output, void *scratch);
void simd_depthwise_3x3(const convolution_t *p, const int8_t *input, int8_t *output, void *scratch);
void simd_add(const add_t *p, const int8_t *first, const int8_t *second, int8_t *output, void *scratch);

#endif
