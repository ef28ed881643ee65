"""Which sentence describes which photo: the classifier Φ, GEST-s2, and the visual diversity of photos."""
