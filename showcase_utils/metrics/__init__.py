"""What texts are worth: n-gram metrics, BERTScore, CLIP-Align; each value names its variant (section 5)."""
