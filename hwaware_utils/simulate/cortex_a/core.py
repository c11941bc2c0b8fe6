"""The simulated core: its identity, as the guest's /proc and /sys show it to LiteRT, its clock and its caches."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from ...base.errors import UserError, nearest
from ...platforms.specs import load_platform

LINE_BYTES = 64
CORES = 2  # as many as the guest sees; LiteRT gets one thread
# What an A78 tells (Armv8.2 with dot product and half precision; no i8mm, bf16 or SVE)
FEATURES = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"


@dataclass(frozen=True)
class Core:
    """`caches` holds (bytes, ways) of L1 data, L2 and L3."""

    platform: str
    part: int
    clock_mhz: float
    caches: tuple[tuple[int, int], ...]
    l3_bytes_per_cycle: float
    memory_bytes_per_cycle: float


def load_core(platform: str) -> Core:
    """The core of a platform id, from cores.yaml. UserError with the nearest id when there is none."""
    cores = yaml.safe_load(Path(__file__).with_name("cores.yaml").read_text())
    if platform not in cores:
        raise UserError(f"platform {platform!r} has no Cortex-A78 to simulate{nearest(platform, cores)}")
    facts = cores[platform]
    caches = tuple((facts[f"l{level}_kib"]["value"] * 1024, facts[f"l{level}_kib"]["ways"]) for level in (1, 2, 3))
    numbers = {name: facts[name]["value"] for name in ("part", "l3_bytes_per_cycle", "memory_bytes_per_cycle")}
    return Core(platform=platform, clock_mhz=load_platform(platform).value("clock_mhz"), caches=caches, **numbers)


def write_cpu_files(core: Core, root: Path) -> None:
    """`/proc/cpuinfo` and `/sys/devices/system/cpu` below `root`: without them LiteRT would see this host's CPU.

    QEMU opens a path below `root` whenever it exists there. XNNPACK chooses its kernels by what it reads.
    """
    for name, content in _files(core).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


def _files(core: Core) -> dict[str, str]:
    cpu, every = "sys/devices/system/cpu", f"0-{CORES - 1}"
    blocks = [
        f"processor\t: {k}\nBogoMIPS\t: 38.40\nFeatures\t: {FEATURES}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: 0x1\nCPU part\t: {core.part:#x}\nCPU revision\t: 0\n"
        for k in range(CORES)
    ]
    files = {"proc/cpuinfo": "\n".join(blocks), f"{cpu}/kernel_max": str(CORES - 1)}
    files |= {f"{cpu}/{name}": every for name in ("possible", "present", "online")}
    for k in range(CORES):
        own, topology = f"{cpu}/cpu{k}", f"{cpu}/cpu{k}/topology"
        files |= {
            f"{own}/cpufreq/cpuinfo_max_freq": f"{core.clock_mhz * 1000:.0f}",
            f"{own}/cpufreq/cpuinfo_min_freq": "710400",
        }
        files |= {f"{topology}/physical_package_id": "0", f"{topology}/core_id": str(k)}
        files |= {f"{topology}/{name}": every for name in ("core_siblings_list", "package_cpus_list", "cluster_cpus_list")}
        files |= {f"{topology}/thread_siblings_list": str(k)}
        (l1, l1_ways), (l2, l2_ways), (l3, l3_ways) = core.caches
        levels = [(1, "Data", l1, l1_ways, str(k)), (1, "Instruction", l1, l1_ways, str(k))]
        levels += [(2, "Unified", l2, l2_ways, str(k)), (3, "Unified", l3, l3_ways, every)]
        for index, (level, kind, size, ways, shared) in enumerate(levels):
            facts = {"level": level, "type": kind, "size": f"{size // 1024}K", "shared_cpu_list": shared}
            facts |= {"ways_of_associativity": ways, "number_of_sets": size // LINE_BYTES // ways}
            facts |= {"coherency_line_size": LINE_BYTES}
            files |= {f"{own}/cache/index{index}/{name}": str(value) for name, value in facts.items()}
    return files
