"""Whether a model fits a device, and if not, by how much."""

from ..base.errors import UserError
from .specs import PlatformSpec, load_platform


def fits(platform: str | PlatformSpec, ram_bytes: float, flash_bytes: float) -> tuple[bool, str]:
    """Whether a model's RAM and flash fit the device, and if not a sentence that says by how much ('' if it fits).

    >>> fits("arm_cortex_m7", 600 * 1024, 100_000)
    (False, 'RAM 600 KiB exceeds the 512 KiB of arm_cortex_m7 by 88 KiB (17 %)')
    """
    spec = load_platform(platform) if isinstance(platform, str) else platform
    broken = []
    for name, need, limit in (("RAM", ram_bytes, "ram_kib"), ("flash", flash_bytes, "flash_kib")):
        if not need >= 0:
            raise UserError(f"{name} need {need!r} is no size: give a number of bytes of 0 or more.")
        kib, most = need / 1024, spec.value(limit)
        if kib > most:
            over = kib - most
            broken.append(f"{name} {kib:.4g} KiB exceeds the {most:.4g} KiB of {spec.id} by {over:.3g} KiB ({over / most:.0%})")
    return not broken, "; ".join(broken).replace("%)", " %)")
