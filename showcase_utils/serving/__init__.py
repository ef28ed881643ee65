"""A small local app for trying showcases live: ``showcase serve``."""
