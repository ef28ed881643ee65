"""The embedded backbones: a small CLIP in open_clip's format and a small GPT-2 in transformers' format.

Both were trained on demo worlds of other seeds by ``training.py`` (``showcase backbones``); MODEL_CARD.md says how
well. They load through the very code that loads the real ones.
"""
