/* Reset, vector table, and what a freestanding compiler may call. No library is linked. */
#include <stdint.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
int main(void);
void fault(void);

void reset(void) {
    *(volatile uint32_t *)0xE000ED88 |= 0xf << 20; /* the compiler may keep integers in FPU registers: switch it on */
    __asm__ volatile("dsb\n\tisb");
    uint32_t *from = data_load;
    for (uint32_t *to = data_start; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
    main();
    for (;;) {}
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};

void *memcpy(void *to, const void *from, unsigned count) {
    char *a = to;
    const char *b = from;
    while (count--) *a++ = *b++;
    return to;
}
void *memset(void *to, int value, unsigned count) {
    char *a = to;
    while (count--) *a++ = (char)value;
    return to;
}
