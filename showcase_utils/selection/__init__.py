"""Which photos of a place a user is shown: kernel, likelihood, greedy MAP, and other methods (section 4.1)."""
