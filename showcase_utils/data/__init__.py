"""The published files as frames: reviews, rejects, GEST-s1, splits and histories (paper, section 3)."""
