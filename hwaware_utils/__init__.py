"""Thin helpers behind the notebooks of the hardware-aware report. Importing this imports nothing heavy."""

__version__ = "0.1.0"
