"""Personalized Showcases: photos and text that say why a place suits a user (SIGIR 2023), reproduced."""

__version__ = "0.1.0"
