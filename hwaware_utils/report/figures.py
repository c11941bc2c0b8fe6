"""All figures of the book in one place: `from hwaware_utils.report import figures`."""

from .figures_model import size_bars, size_vs_accuracy, training_curves, workload_bars
from .figures_platform import latency_bars, pareto, roofline

__all__ = ["latency_bars", "pareto", "roofline", "size_bars", "size_vs_accuracy", "training_curves", "workload_bars"]
