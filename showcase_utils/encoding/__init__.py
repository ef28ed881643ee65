"""CLIP features of photos and texts, kept in stores: on one machine, or on a cluster."""
