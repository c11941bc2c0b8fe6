/* The harness: images come from the simulator's memory, logits and the time of each layer go out by semihosting.
   On a board, replace it by the lines of the README. */
#include "model.h"

#define SYSTICK ((volatile uint32_t *)0xE000E010) /* control, reload, current value: counts down 24 bits */
#define IMAGES ((volatile uint32_t *)0x60000000)  /* their number, 12 bytes unused, then the images */

static char line[2 * (MODEL_OUTPUT_BYTES > 4 ? MODEL_OUTPUT_BYTES : 4) + 2];
static uint32_t ticks[MODEL_LAYERS];

static void semihost(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print_hex(const void *bytes, int count) {
    const uint8_t *byte = bytes;
    char *to = line;
    for (int i = 0; i < count; i++) *to++ = "0123456789abcdef"[byte[i] >> 4], *to++ = "0123456789abcdef"[byte[i] & 15];
    *to++ = '\n', *to = 0;
    semihost(4, line);
}

void fault(void) {
    semihost(4, "fault\n");
    semihost(0x18, (void *)0x20023);
    for (;;) {}
}

int main(void) {
    SYSTICK[1] = 0xffffff, SYSTICK[2] = 0, SYSTICK[0] = 5;
    const int8_t *image = (const int8_t *)(IMAGES + 4);
    for (uint32_t i = 0; i < IMAGES[0]; i++, image += MODEL_INPUT_BYTES) {
        for (int k = 0; k < MODEL_INPUT_BYTES; k++) model_input[k] = image[k];
        for (int k = 0; k < model_layer_count; k++) {
            uint32_t start = SYSTICK[2];
            model_layers[k]();
            ticks[k] = (start - SYSTICK[2]) & 0xffffff;
        }
        print_hex(model_output, model_output_bytes);
    }
    semihost(4, "ticks\n");
    for (int k = 0; k < model_layer_count; k++) print_hex(&ticks[k], 4);
    semihost(0x18, (void *)0x20026);
    return 0;
}
