"""Somebody's own data in the published format: tables of reviews and a folder of photos, from well-known sets too."""
