"""Thin helpers behind the notebooks of the hardware-aware report. Importing this imports nothing heavy."""
