"""A folder that a firmware developer can build: the generated C, the kernels, a Makefile, images with their logits."""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from ...base.errors import UserError
from ...tflite_file import read_model
from ..comparison import random_inputs
from .build import FIRMWARE, copy_sources
from .generate import Sources, generate
from .golden import reference_logits
from .network import Network, read_network
from .run_qemu import pack_images

N_IMAGES = 4


def export_firmware(model: Path, folder: Path, kernels: str = "simd") -> Path:
    """Write the firmware of the INT8 `.tflite` file `model` into the new `folder` and return it.

    The folder appears whole or not at all. UserError if it exists and is not empty, or for an unfit model.
    """
    model, folder = Path(model), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{str(folder)!r} exists already: name a new or an empty folder for the firmware.")
    network = read_network(model)
    sources = generate(network, kernels)
    images = random_inputs(model, N_IMAGES)
    logits = reference_logits(model, images)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made = Path(temporary) / "firmware"
        made.mkdir()
        copy_sources(sources, made)
        shutil.copyfile(FIRMWARE / "Makefile", made / "Makefile")
        (made / "README.md").write_text(_readme(network, sources, kernels))
        (made / "images.bin").write_bytes(pack_images(images))
        (made / "expected_logits.txt").write_text("".join(row.astype(np.int8).tobytes().hex() + "\n" for row in logits))
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    return folder


def _readme(network: Network, sources: Sources, kernels: str) -> str:
    found = read_model(network.path).subgraphs[0].tensors[network.input].quantization
    return (
        (FIRMWARE / "README.template.md")
        .read_text()
        .format(
            name=network.path.name,
            kernels=kernels,
            arena_kib=sources.arena_bytes / 1024,
            constant_kib=sources.constant_bytes / 1024,
            images=N_IMAGES,
            scale=float(found.scale[0]),
            zero_point=int(found.zeroPoint[0]),
        )
    )
