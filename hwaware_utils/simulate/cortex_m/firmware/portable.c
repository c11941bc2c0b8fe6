/* Every operator in plain C: the formulas of TFLite's reference kernels, for any size, stride and dilation. */
#include "kernels.h"
#include "requantize.h"

void portable_convolution(const convolution_t *p, const int8_t *input, int8_t *output) {
    for (int oy = 0; oy < p->output_height; oy++)
        for (int ox = 0; ox < p->output_width; ox++) {
            const int8_t *weights = p->weights;
            for (int channel = 0; channel < p->output_channels; channel++) {
                int32_t sum = p->bias[channel];
                for (int ky = 0; ky < p->kernel_y; ky++) {
                    int iy = oy * p->stride_y - p->padding_y + ky * p->dilation_y;
                    for (int kx = 0; kx < p->kernel_x; kx++, weights += p->input_channels) {
                        int ix = ox * p->stride_x - p->padding_x + kx * p->dilation_x;
                        if (iy < 0 || iy >= p->input_height || ix < 0 || ix >= p->input_width) continue;
                        const int8_t *pixel = input + (iy * p->input_width + ix) * p->input_channels;
                        for (int c = 0; c < p->input_channels; c++) sum += (pixel[c] - p->input_zero) * weights[c];
                    }
                }
                sum = requantize(sum, p->multiplier[channel], p->shift[channel]) + p->output_zero;
                *output++ = clamp(sum, p->low, p->high);
            }
        }
}

void portable_depthwise(const convolution_t *p, const int8_t *input, int8_t *output) {
    int channels = p->output_channels, multiplier = channels / p->input_channels;
    for (int oy = 0; oy < p->output_height; oy++)
        for (int ox = 0; ox < p->output_width; ox++)
            for (int channel = 0; channel < channels; channel++) {
                int32_t sum = p->bias[channel];
                for (int ky = 0; ky < p->kernel_y; ky++) {
                    int iy = oy * p->stride_y - p->padding_y + ky * p->dilation_y;
                    if (iy < 0 || iy >= p->input_height) continue;
                    for (int kx = 0; kx < p->kernel_x; kx++) {
                        int ix = ox * p->stride_x - p->padding_x + kx * p->dilation_x;
                        if (ix < 0 || ix >= p->input_width) continue;
                        int at = (iy * p->input_width + ix) * p->input_channels + channel / multiplier;
                        sum += (input[at] - p->input_zero) * p->weights[(ky * p->kernel_x + kx) * channels + channel];
                    }
                }
                sum = requantize(sum, p->multiplier[channel], p->shift[channel]) + p->output_zero;
                *output++ = clamp(sum, p->low, p->high);
            }
}

void portable_add(const add_t *p, const int8_t *first, const int8_t *second, int8_t *output) {
    for (int i = 0; i < p->count; i++) {
        int32_t x = requantize((first[i] - p->input_zero) * (1 << 20), p->first_multiplier, p->first_shift);
        int32_t y = requantize((second[i] - p->second_zero) * (1 << 20), p->second_multiplier, p->second_shift);
        output[i] = clamp(requantize(x + y, p->sum_multiplier, p->sum_shift) + p->output_zero, p->low, p->high);
    }
}

void mean(const mean_t *p, const int8_t *input, int8_t *output) {
    for (int channel = 0; channel < p->channels; channel++) {
        int32_t sum = -p->input_zero * p->pixels;
        for (int i = 0; i < p->pixels; i++) sum += input[i * p->channels + channel];
        output[channel] = clamp(requantize(sum, p->multiplier, p->shift) + p->output_zero, p->low, p->high);
    }
}

void pad(const pad_t *p, const int8_t *input, int8_t *output) {
    for (int oy = 0; oy < p->output_height; oy++)
        for (int ox = 0; ox < p->output_width; ox++) {
            int iy = oy - p->padding_y, ix = ox - p->padding_x;
            int inside = iy >= 0 && iy < p->input_height && ix >= 0 && ix < p->input_width;
            const int8_t *pixel = input + (iy * p->input_width + ix) * p->channels;
            for (int c = 0; c < p->channels; c++) *output++ = inside ? pixel[c] : (int8_t)p->output_zero;
        }
}

void quantize(const quantize_t *p, const int8_t *input, int8_t *output) {
    for (int i = 0; i < p->count; i++)
        output[i] = clamp(requantize(input[i] - p->input_zero, p->multiplier, p->shift) + p->output_zero, -128, 127);
}
