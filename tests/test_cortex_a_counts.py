"""Counting, disassembling and timing of code blocks, against examples worked by hand."""

import math

import pandas as pd
import pytest
from simulator_tools import needs

from hwaware_utils.base.errors import UserError
from hwaware_utils.base.evidence import check_evidence
from hwaware_utils.simulate.cortex_a import blocks, caches, counts, cycles, tiles, validation
from hwaware_utils.simulate.cortex_a.core import load_core, write_cpu_files

ADD, FMLA, LOAD, BRANCH = 0x91000400, 0x4E22CC20, 0x3DC00021, 0x54000001  # add x0,x0,#1; fmla v0.4s; ldr q1,[x1]; b.ne


@pytest.fixture
def llvm():
    needs(counts.llvm, "llvm-mca")


def table(*rows):
    """Blocks of (address, executed, words) without memory counts."""
    empty = [math.nan] * len(blocks.MEMORY)
    return pd.DataFrame([(a, n, *empty, tuple(words)) for a, n, words in rows], columns=blocks.COLUMNS)


LOG = b"""\
IN: nothing of ours
0x5500001000:  91000400  add x0, x0, #1
0x5500001004:  54000001  b.ne #0x5500001004

Trace 0: 0x7f [0000000000000000/0000005500001000/00000001/00080200]
12 Unknown syscall 31352
Trace 0: 0x7f [0000000000000000/0000005500001000/00000001/00080200]
12 Unknown syscall 31352
Trace 0: 0x7f [0000000000000000/0000005500001000/00000001/00080200]
----------------
IN:
0x5500002000:  4e22cc20  fmla v0.4s, v1.4s, v2.4s

Trace 0: 0x7f [0000000000000000/0000005500002000/00000001/00080200]
Trace 0: 0x7f [0000000000000000/0000005500001000/00000001/00080200]
12 Unknown syscall 31352
Trace 0: 0x7f [0000000000000000/0000005500002000/00000001/00080200]
""".splitlines(keepends=True)


def test_the_log_is_counted_between_its_second_and_third_mark():
    found, marks = blocks.from_log(LOG)
    found = found.set_index("address")
    assert marks == 3
    assert found["executed"].to_dict() == {0x5500001000: 2, 0x5500002000: 1}
    assert found["words"].to_dict() == {0x5500001000: (ADD, BRANCH), 0x5500002000: (FMLA,)}
    assert blocks.from_log(LOG[:8])[1] == 2


def test_a_dump_is_read_as_the_plugin_writes_it(tmp_path):
    (tmp_path / "blocks").write_text("5500001000 7 14 0 224 0 3 2 1 9100040054000001\n")
    row = blocks.from_dump(tmp_path / "blocks").loc[0]
    assert (row["address"], row["executed"], row["load_bytes"], row["l3_misses"]) == (0x5500001000, 7, 224, 1)
    assert row["words"] == (ADD, BRANCH)
    with pytest.raises(UserError, match="wrote no counts"):
        blocks.from_dump(tmp_path / "none")


def test_overlapping_blocks_become_straight_runs(llvm):
    """A loop entered from above 1 time and repeated 9 times: the first pass is part of the block above it."""
    code = table((0x1010, 1, [ADD, LOAD, FMLA, BRANCH]), (0x1014, 9, [LOAD, FMLA, BRANCH]))
    runs = cycles.straight_runs(code, counts.disassemble(code))
    assert runs[["address", "executed", "words"]].to_numpy().tolist() == [
        [0x1010, 1, (ADD,)],
        [0x1014, 10, (LOAD, FMLA, BRANCH)],
    ]


def test_mix_and_macs_of_a_loop(llvm):
    code = table((0x1000, 10, [LOAD, FMLA, FMLA, ADD, BRANCH]))
    texts = counts.disassemble(code)
    mix = counts.count_mix(code, texts).set_index("kind")["instructions"].to_dict()
    assert mix == {"simd": 20, "load": 10, "store": 0, "scalar": 10, "branch": 10}
    assert counts.total_instructions(code) == 50
    assert counts.simd_macs(texts[FMLA]) == 4


def test_dependent_additions_take_a_cycle_each(llvm):
    """Each addition waits for the one before: 4 of them take 4 cycles on any core, whatever its width."""
    code = table((0x1000, 1000, [ADD] * 4))
    found = cycles.estimate_cycles(code, counts.disassemble(code))
    for core in cycles.CORES:
        assert found[core].sum() == pytest.approx(4000, rel=0.05)


def test_words_that_are_no_code_are_named(llvm):
    with pytest.raises(UserError, match="llvm-mc read 0 of 1 instructions"):
        counts.disassemble(table((0x1000, 1, [0xFFFFFFFF])))


def test_memory_cycles_by_hand():
    core = load_core("nvidia_orin_a78ae")
    by_hand = 64 * 100 / core.l3_bytes_per_cycle + 64 * 10 / core.memory_bytes_per_cycle
    assert caches.memory_cycles(100, 10, core) == pytest.approx(by_hand)


def test_int8_tiles_take_channels_in_fours():
    row = {"operator": "CONV_2D", "macs": 64 * 16 * 27, "kernel": (3, 3), "output_shape": (1, 8, 8, 16)}
    work = pd.DataFrame([row | {"dtype": "int8", "weight_dtype": "int8"}])
    kernel = "xnn_qs8_qc8w_igemm_minmax_fp32_ukernel_4x16c4__asm_aarch64_neondot_ld128"
    assert tiles.filled_macs(work, [kernel]) == 64 * 16 * 9 * 4  # 3 channels are taken as 4
    assert tiles.filled_macs(work, ["xnn_f32_igemm_minmax_ukernel_6x8__neonfma"]) is None


def test_the_guest_is_told_the_core(tmp_path):
    core = load_core("arm_cortex_a78")
    write_cpu_files(core, tmp_path)
    assert (tmp_path / "proc/cpuinfo").read_text().count("CPU part\t: 0xd41") == 2
    sizes = [(tmp_path / f"sys/devices/system/cpu/cpu0/cache/index{k}/size").read_text() for k in range(4)]
    assert sizes == ["64K\n", "64K\n", "512K\n", "4096K\n"]


def test_every_published_latency_lies_in_its_simulated_range():
    table, published = validation.recorded_validation(), validation.published_rows()
    check_evidence(table, "cortex_a78_validation")
    key = ["family", "alpha", "resolution"]
    both = table.merge(published, on=key)
    assert len(both) == len(published) >= 8
    assert set(table["family"]) == {"mobilenet_v1", "mobilenet_v2"}
    assert both["published_ms"].tolist() == pytest.approx(both["latency_ms_y"].tolist())
    assert both["published_ms"].between(both["latency_ms_low"], both["latency_ms_high"]).all()
    errors = (both["latency_ms_x"] / both["published_ms"] - 1).abs()
    assert errors.mean() <= 0.035
    assert both["relative_error"].abs().tolist() == pytest.approx(errors.tolist(), abs=1e-4)
    assert (table["simd_macs"] == table["filled_macs"]).all()
