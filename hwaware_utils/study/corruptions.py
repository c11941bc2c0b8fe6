"""Images as a camera gives them on a bad day: four corruptions in five steps, in NumPy alone.

The steps are those of CIFAR-10-C (Hendrycks and Dietterich 2019, make_cifar_c.py: gaussian_noise, gaussian_blur,
brightness, contrast). Brightness is added to every channel here, there to the value of HSV.
"""

import numpy as np

from ..base.errors import UserError, nearest

SEVERITIES = (1, 2, 3, 4, 5)
_NOISE = (0.04, 0.06, 0.08, 0.09, 0.10)  # standard deviation, of images in 0..1
_BLUR = (0.4, 0.6, 0.7, 0.8, 1.0)  # standard deviation in pixels, for an image 32 px wide
_BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3)
_CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)


def noise(images: np.ndarray, severity: int, seed: int = 0) -> np.ndarray:
    """Gaussian noise, as of a small sensor in the dark."""
    unit = images / 255
    return _pixels(unit + np.random.default_rng(seed).normal(0, _NOISE[severity - 1], images.shape))


def blur(images: np.ndarray, severity: int) -> np.ndarray:
    """A Gaussian blur, as of a lens out of focus; edges are repeated."""
    deviation = _BLUR[severity - 1] * images.shape[1] / 32
    reach = max(1, round(3 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights /= weights.sum()
    blurred = images / 255
    for axis in (1, 2):
        padding = [(reach, reach) if a == axis else (0, 0) for a in range(4)]
        padded, size = np.pad(blurred, padding, mode="edge"), images.shape[axis]
        blurred = sum(w * np.take(padded, range(k, k + size), axis) for k, w in enumerate(weights))
    return _pixels(blurred)


def brightness(images: np.ndarray, severity: int) -> np.ndarray:
    """Every pixel brighter by the same amount, as of an exposure too long."""
    return _pixels(images / 255 + _BRIGHTNESS[severity - 1])


def contrast(images: np.ndarray, severity: int) -> np.ndarray:
    """Less difference from the image's own mean colour, as in fog."""
    unit = images / 255
    mean = unit.mean(axis=(1, 2), keepdims=True)
    return _pixels(mean + _CONTRAST[severity - 1] * (unit - mean))


CORRUPTIONS = {"noise": noise, "blur": blur, "brightness": brightness, "contrast": contrast}


def corrupt(images: np.ndarray, kind: str, severity: int) -> np.ndarray:
    """uint8 images (N, H, W, 3) under a corruption of that severity, 1 to 5. UserError for an unknown one."""
    if kind not in CORRUPTIONS:
        raise UserError(f"corruption {kind!r} is unknown{nearest(kind, CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise UserError(f"severity {severity!r}: give a whole number from 1 to 5.")
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UserError(f"images of type {images.dtype} and shape {images.shape}: give uint8 (N, H, W, 3).")
    return CORRUPTIONS[kind](images, severity)


def _pixels(unit: np.ndarray) -> np.ndarray:
    return np.clip(np.round(unit * 255), 0, 255).astype(np.uint8)
