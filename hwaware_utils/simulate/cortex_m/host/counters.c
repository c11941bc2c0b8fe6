/* Hooks for Unicorn, compiled for the host: how often each block of the guest ran, what it loaded and stored, and what
   the caches and the branch predictor would have missed. Python would need a microsecond for each of millions of calls. */
#include <stdint.h>
#include <string.h>

enum { SLOTS = 1 << 20, LINE = 32, BYTES = 16 * 1024, RAM = 0x20000000 };

typedef struct { uint32_t tag[512], used[512], now, sets, ways; uint8_t dirty[512]; } cache_t;

typedef struct {
    uint64_t runs[SLOTS];
    uint32_t size[SLOTS], touched[SLOTS], last_end, last_start, blocks;
    uint8_t taken[SLOTS];
    uint64_t loads, stores, flash_misses, ram_misses, write_backs, code_misses, mispredicted;
    cache_t data, code;
} counters_t;

/* 1 for a miss; `*evicted_dirty` is raised when a changed line had to go. Least recently used goes first. */
static int touch(cache_t *c, uint32_t address, int store, uint64_t *evicted_dirty) {
    uint32_t tag = address / LINE + 1, base = (address / LINE) % c->sets * c->ways, oldest = base;
    for (uint32_t i = base; i < base + c->ways; i++) {
        if (c->tag[i] == tag) {
            c->used[i] = ++c->now, c->dirty[i] |= store;
            return 0;
        }
        if (c->used[i] < c->used[oldest]) oldest = i;
    }
    if (c->tag[oldest] && c->dirty[oldest]) ++*evicted_dirty;
    c->tag[oldest] = tag, c->used[oldest] = ++c->now, c->dirty[oldest] = store;
    return 1;
}

void on_block(void *uc, uint64_t address, uint32_t size, void *user) {
    counters_t *p = user;
    uint32_t slot = (address >> 1) & (SLOTS - 1);
    if (p->last_end) { /* a two-bit counter for each place that a branch ends, as long as branches have been seen both ways */
        uint32_t branch = (p->last_end >> 1) & (SLOTS - 1);
        int taken = address != p->last_end;
        if ((p->taken[branch] >= 2) != taken) p->mispredicted++;
        if (taken && p->taken[branch] < 3) p->taken[branch]++;
        if (!taken && p->taken[branch] > 0) p->taken[branch]--;
    }
    p->last_end = (uint32_t)address + size;
    if (!p->runs[slot]++) p->touched[p->blocks++] = slot;
    p->size[slot] = size;
    uint64_t ignored = 0;
    for (uint32_t at = address / LINE * LINE; at < address + size; at += LINE) p->code_misses += touch(&p->code, at, 0, &ignored);
}

void on_memory(void *uc, int type, uint64_t address, int size, int64_t value, void *user) {
    counters_t *p = user;
    int store = type == 17; /* UC_MEM_WRITE */
    store ? p->stores++ : p->loads++;
    if (touch(&p->data, address, store, &p->write_backs)) address >= RAM ? p->ram_misses++ : p->flash_misses++;
}

uint64_t counters_bytes(void) { return sizeof(counters_t); }

/* Cold caches of the STM32H747: 16 KB each, four ways for data, two for instructions. */
void counters_reset(counters_t *p) {
    memset(p, 0, sizeof *p);
    p->data.ways = 4, p->data.sets = BYTES / LINE / 4;
    p->code.ways = 2, p->code.sets = BYTES / LINE / 2;
    memset(p->taken, 2, SLOTS);
}

/* Blocks since the last call: start address, bytes, runs, three numbers each; then the seven totals. */
uint32_t counters_take(counters_t *p, uint64_t *out, uint64_t totals[7]) {
    for (uint32_t i = 0; i < p->blocks; i++) {
        uint32_t slot = p->touched[i];
        *out++ = (uint64_t)slot << 1, *out++ = p->size[slot], *out++ = p->runs[slot];
        p->runs[slot] = 0;
    }
    memcpy(totals, &p->loads, 7 * sizeof *totals);
    memset(&p->loads, 0, 7 * sizeof *totals);
    uint32_t blocks = p->blocks;
    p->blocks = 0, p->last_end = 0;
    return blocks;
}
