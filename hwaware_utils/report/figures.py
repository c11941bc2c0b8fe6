"""All figures of the book in one place: `from hwaware_utils.report import figures`."""

from .figures_applications import battery_life, energy_shares, generations
from .figures_aspects import correlations, deployments, four_bits, techniques
from .figures_claims import claim_ratios, claim_verdicts
from .figures_compression import distillation, pruning_sweep
from .figures_decide import limit_staircase
from .figures_decision import decision
from .figures_energy import effectiveness, energy_breakdown, heating
from .figures_explore import candidate_predictions, exploration_front, surrogate_check
from .figures_failures import channel_ranges, failures
from .figures_inference_memory import activation_arena, early_exit, sharding
from .figures_memory_timeline import memory_timeline
from .figures_model import size_bars, size_vs_accuracy, training_curves, workload_bars
from .figures_monitoring import drift_detection, drift_stream
from .figures_ota import delta_sizes, power_cuts
from .figures_pareto import front_probability, linked_fronts, pareto
from .figures_platform import latency_bars, roofline
from .figures_quantization import quantization_tradeoff, sensitivity_bars, sqnr_lines
from .figures_radar import radar
from .figures_simulation import operator_instructions, simulated_vs_modelled
from .figures_study import class_accuracy, confusion_matrix, linked_tradeoffs, size_breakdown, throughput
from .figures_toolchains import exports, toolchains
from .figures_training_memory import batch_search, training_memory
from .figures_utilization import bottlenecks, utilization
from .figures_validation import predicted_vs_published

__all__ = [
    "activation_arena",
    "batch_search",
    "battery_life",
    "bottlenecks",
    "candidate_predictions",
    "channel_ranges",
    "claim_ratios",
    "claim_verdicts",
    "class_accuracy",
    "confusion_matrix",
    "correlations",
    "decision",
    "delta_sizes",
    "deployments",
    "distillation",
    "drift_detection",
    "drift_stream",
    "early_exit",
    "effectiveness",
    "energy_breakdown",
    "energy_shares",
    "exploration_front",
    "exports",
    "failures",
    "four_bits",
    "front_probability",
    "generations",
    "heating",
    "latency_bars",
    "limit_staircase",
    "linked_fronts",
    "linked_tradeoffs",
    "memory_timeline",
    "operator_instructions",
    "pareto",
    "power_cuts",
    "predicted_vs_published",
    "pruning_sweep",
    "quantization_tradeoff",
    "radar",
    "roofline",
    "sensitivity_bars",
    "sharding",
    "simulated_vs_modelled",
    "size_bars",
    "size_breakdown",
    "size_vs_accuracy",
    "sqnr_lines",
    "surrogate_check",
    "techniques",
    "throughput",
    "toolchains",
    "training_curves",
    "training_memory",
    "utilization",
    "workload_bars",
]
