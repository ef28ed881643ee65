"""Intervals over users, paired tests, and what counts as reproduced."""
