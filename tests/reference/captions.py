"""Writes tests/metrics/pairs.json: made-up pairs of texts and what pycocoevalcap 1.2 says of them.

pycocoevalcap is a hundred megabytes of Java archives around two Python files, so the project does not depend on
it; its verdicts are kept instead. To make them again: ``pip install pycocoevalcap==1.2``, then run this file.
"""

import json
import random
from pathlib import Path

WORDS = (
    "the a and was were is so very good great food place tacos sushi rolls burger noodles shrimp chicken grilled "
    "fried steamed salad soup tea coffee room cozy staff friendly service slow loved liked ordered came with on"
).split()
ENDS = [".", "!", "!!!", " ...", "?", ", really.", ""]
CLIFFS = [
    ("", "the food was great ."),
    ("   ", "the food was great ."),
    ("great", "great"),
    ("great", "terrible"),
    ("tacos", "the grilled shrimp tacos were great"),
    ("the food was great", "tacos"),
    ("two words", "two words"),
    ("the sushi was fresh", "loud music, cold fries"),
    ("The Shrimp Tacos were GREAT!", "the shrimp tacos were great!"),
    ("good good good good good good good", "good food"),
    ("the the the the", "the the"),
    ("!!! ... ???", "... !!!"),
    ("!!!", "the food was great"),
    ("it's $12.50, isn't it? (yes)", "it's $12.50 - isn't it (yes)?"),
    ("crème brûlée — délicieux ☕", "crème brûlée , délicieux ☕"),
    ("寿司 とても 美味しい", "寿司 美味しい"),
    ("i loved loving lovely dishes", "i love the lovely dish"),
    (" ".join(["the noodles were very good"] * 120), "the noodles were very good"),
    ("the noodles were very good", " ".join(["the noodles were very good"] * 120)),
    ("one two three four five six", "six five four three two one"),
]


def made_up_pairs(number: int = 300) -> list[tuple[str, str]]:
    rng = random.Random(7)
    pairs = list(CLIFFS)
    while len(pairs) < number:
        reference = [rng.choice(WORDS) for _ in range(rng.randint(1, 40))]
        keep = rng.choice([0.0, 0.3, 0.6, 0.9, 1.0])
        hypothesis = [word if rng.random() < keep else rng.choice(WORDS) for word in reference]
        if rng.random() < 0.3:
            rng.shuffle(hypothesis)
        hypothesis = hypothesis[: rng.randint(1, len(hypothesis))] if rng.random() < 0.3 else hypothesis
        texts = [" ".join(words) + rng.choice(ENDS) for words in (hypothesis, reference)]
        pairs.append((texts[0].capitalize() if rng.random() < 0.5 else texts[0], texts[1]))
    return pairs


def main() -> None:
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    from showcase_utils.metrics.text import tokens

    pairs = made_up_pairs()
    hypotheses = {i: [" ".join(tokens(pair[0]))] for i, pair in enumerate(pairs)}
    references = {i: [" ".join(tokens(pair[1]))] for i, pair in enumerate(pairs)}
    rouge, rouges = Rouge().compute_score(references, hypotheses)
    cider, ciders = Cider().compute_score(references, hypotheses)
    result = {
        "source": "pycocoevalcap 1.2",
        "corpus": {"rouge_l": float(rouge), "cider": float(cider)},
        "rows": [
            {"hypothesis": h, "reference": r, "rouge_l": float(a), "cider": float(b)}
            for (h, r), a, b in zip(pairs, rouges, ciders, strict=True)
        ],
    }
    path = Path(__file__).parents[1] / "metrics" / "pairs.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
