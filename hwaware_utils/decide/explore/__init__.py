"""Exploration: which network of the search space to train next, and what it will be worth."""
