/* blockcount: executed code blocks and simulated cache misses between two marks, under QEMU user mode.
 *
 * A plugin for QEMU's TCG plugin API. Debian ships no header for it, so the few functions in use are declared here
 * (source: include/qemu/qemu-plugin.h of QEMU 7.2 and 10.0). The guest marks with a system call that does not exist:
 *   syscall(MARK, 3, 0)   start to watch memory: blocks translated so far are translated anew, with cache simulation
 *   syscall(MARK, 1, 0)   set every counter to zero
 *   syscall(MARK, 2, 0)   write one line a block to the file OUT, stop watching memory
 * Arguments: out=FILE, l1=BYTES/WAYS, l2=BYTES/WAYS, l3=BYTES/WAYS (64-byte lines, true LRU, write-allocate, no prefetch).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef API
#define API 1 /* 1: QEMU 6.0 to 8.2; 2: QEMU 9.0 and later */
#endif
#define EXPORT __attribute__((visibility("default")))
enum { MARK = 0x7a78, ZERO = 1, DUMP = 2, WATCH = 3, LINE_BITS = 6, MAX_INSTRUCTIONS = 1024 };

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef void (*mem_callback)(unsigned cpu, uint32_t info, uint64_t address, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int op, void *, uint64_t);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, mem_callback, int flags, int rw, void *);
extern unsigned qemu_plugin_mem_size_shift(uint32_t info);
extern bool qemu_plugin_mem_is_store(uint32_t info);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                                                    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
extern void qemu_plugin_reset(plugin_id, void (*)(plugin_id));
EXPORT int qemu_plugin_version = API;

typedef struct block {
    struct block *next;
    uint64_t address, length, executed, loads, stores, load_bytes, store_bytes, misses[3];
    uint32_t code[];
} block;

typedef struct {
    uint64_t sets, ways, clock, *tag, *age;
} cache;

static block *table[1 << 16];
static cache level[3];
static const char *out = "blocks.txt";
static bool watching;

static bool hits(cache *c, uint64_t line) {
    uint64_t *tag = c->tag + line % c->sets * c->ways, *age = c->age + line % c->sets * c->ways, oldest = 0;
    c->clock++;
    for (uint64_t way = 0; way < c->ways; way++) {
        if (tag[way] == line + 1) {
            age[way] = c->clock;
            return true;
        }
        if (age[way] < age[oldest]) oldest = way;
    }
    tag[oldest] = line + 1;
    age[oldest] = c->clock;
    return false;
}

static void on_memory(unsigned cpu, uint32_t info, uint64_t address, void *data) {
    block *b = data;
    uint64_t size = UINT64_C(1) << qemu_plugin_mem_size_shift(info);
    if (qemu_plugin_mem_is_store(info)) {
        b->stores++, b->store_bytes += size;
    } else {
        b->loads++, b->load_bytes += size;
    }
    for (uint64_t line = address >> LINE_BITS; line <= (address + size - 1) >> LINE_BITS; line++)
        for (int k = 0; k < 3 && !hits(&level[k], line); k++) b->misses[k]++;
}

/* The same code may be translated again (QEMU empties its buffer now and then): its counts go on. */
static block *find(uint64_t address, uint64_t length, const uint32_t *code) {
    block **slot = &table[address * UINT64_C(0x9E3779B97F4A7C15) >> 48];
    for (block *b = *slot; b; b = b->next)
        if (b->address == address && b->length == length && !memcmp(b->code, code, length * 4)) return b;
    block *b = calloc(1, sizeof *b + length * 4);
    if (!b) abort();
    b->address = address, b->length = length, b->next = *slot;
    memcpy(b->code, code, length * 4);
    return *slot = b;
}

#if API >= 2
static void on_block(unsigned cpu, void *data) { ((block *)data)->executed++; }
#endif

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb) {
    uint32_t code[MAX_INSTRUCTIONS];
    size_t n = qemu_plugin_tb_n_insns(tb);
    if (n > MAX_INSTRUCTIONS) abort(); /* QEMU's own limit is 512 */
    for (size_t i = 0; i < n; i++) memcpy(&code[i], qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, i)), 4);
    block *b = find(qemu_plugin_tb_vaddr(tb), n, code);
#if API >= 2
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, b);
#else
    qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &b->executed, 1);
#endif
    for (size_t i = 0; watching && i < n; i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), on_memory, 0, 3, b);
}

static void dump(void) {
    FILE *file = fopen(out, "w");
    if (!file) return; /* the host misses the file and says so */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (block *b = table[i]; b; b = b->next) {
            if (!b->executed) continue;
            fprintf(file, "%" PRIx64 " %" PRIu64, b->address, b->executed);
            fprintf(file, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, b->loads, b->stores, b->load_bytes, b->store_bytes);
            fprintf(file, " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", b->misses[0], b->misses[1], b->misses[2]);
            for (uint64_t k = 0; k < b->length; k++) fprintf(file, "%08x", b->code[k]);
            fputc('\n', file);
        }
    fclose(file);
}

static void register_callbacks(plugin_id id);

static void on_syscall(plugin_id id, unsigned cpu, int64_t number, uint64_t mark, uint64_t a2, uint64_t a3, uint64_t a4,
                       uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    if (number != MARK) return;
    if (mark == DUMP) dump();
    if (mark == ZERO)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            for (block *b = table[i]; b; b = b->next) memset(&b->executed, 0, offsetof(block, code) - offsetof(block, executed));
    if (mark == WATCH || mark == DUMP) {
        watching = mark == WATCH && level[0].tag;
        qemu_plugin_reset(id, register_callbacks);
    }
}

static void register_callbacks(plugin_id id) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        uint64_t bytes, ways;
        int k;
        if (!strncmp(argv[i], "out=", 4)) {
            out = strdup(argv[i] + 4);
        } else if (sscanf(argv[i], "l%d=%" SCNu64 "/%" SCNu64, &k, &bytes, &ways) == 3 && k >= 1 && k <= 3 && ways &&
                   bytes >> LINE_BITS >= ways) {
            cache *c = &level[k - 1];
            c->ways = ways, c->sets = (bytes >> LINE_BITS) / ways;
            c->tag = calloc(c->sets * ways, sizeof *c->tag), c->age = calloc(c->sets * ways, sizeof *c->age);
        } else {
            fprintf(stderr, "blockcount: argument '%s' is unknown\n", argv[i]);
            return -1;
        }
    }
    register_callbacks(id);
    return 0;
}
