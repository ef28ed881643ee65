"""What people say about the place itself where a photo could show it: room, terrace, storefront. Syntax: phrases.py."""

from __future__ import annotations

# How a writer calls a room of each style; the flag says plural. Each names the style and a word of ROOM_NOUNS.
ROOMS: dict[str, tuple[tuple[str, bool], ...]] = {
    "candlelit": (("candlelit room", False), ("candlelit dining room", False), ("candlelit tables", True),
                  ("candlelit interior", False), ("candlelit space", False)),
    "modern": (("modern room", False), ("modern interior", False), ("modern decor", False),
               ("bright modern space", False), ("modern dining room", False)),
    "rustic": (("rustic room", False), ("rustic interior", False), ("rustic decor", False),
               ("rustic wooden tables", True), ("rustic dining room", False)),
    "colorful": (("colorful room", False), ("colorful decor", False), ("colorful walls", True),
                 ("colorful lanterns", True), ("colorful interior", False)),
    "elegant": (("elegant room", False), ("elegant dining room", False), ("elegant interior", False),
                ("elegant chandelier", False), ("elegant decor", False)),
    "neon": (("neon lights", True), ("neon room", False), ("neon signs", True), ("neon interior", False),
             ("neon decor", False)),
}  # fmt: skip
ROOM_NOUNS = (
    "room", "interior", "decor", "space", "tables", "walls", "lanterns", "lights", "signs", "chandelier", "place",
)  # fmt: skip

# The same for a terrace: "@" stands for terrace or patio.
TERRACE_NAMES: dict[str, tuple[tuple[str, bool], ...]] = {
    "umbrellas": (("@ with umbrellas", False), ("umbrellas on the @", True), ("@ with the big umbrellas", False)),
    "string lights": (("@ with string lights", False), ("string lights on the @", True)),
    "plants": (("@ with plants", False), ("plants on the @", True), ("@ with all the plants", False)),
    "river view": (("@ with a river view", False), ("river view from the @", False)),
    "fire pit": (("@ with a fire pit", False), ("fire pit on the @", False)),
}
TERRACE_NOUNS = ("terrace", "patio")

STOREFRONT_NAMES = ("# awning", "little # awning", "# storefront", "bright # awning")  # "#" stands for the colour
STOREFRONT_NOUNS = ("awning", "storefront")

INTERIOR: dict[str, tuple[str, ...]] = {
    "love": (
        "{the} {is} [gorgeous|stunning|beautiful|so cozy|magical|perfect for a date]",
        "[I|we] [loved|adored|fell in love with] {the}",
        "{the} {makes/make} [you feel at home|the whole experience|it so special]",
        "{the} {sets/set} [the mood|the perfect mood]",
        "the vibe is [amazing|perfect] with {the}",
        "{the} {is} straight out of a [movie|magazine]",
        "what a [beautiful|lovely|stunning] place with {name_det}",
        "can we talk about {the}?",
        "[I|we] could sit in this place for hours just for {the}",
        "{the} and the music made our [night|evening]",
        "you have to see {the}",
        "my favorite part was {the}",
    ),
    "like": (
        "{the} {is} [nice|lovely|pretty|cozy|inviting|comfortable|charming]",
        "[I|we] liked {the}",
        "[nice|lovely|pretty|cozy] {name}",
        "[nice|good] atmosphere with {name_det}",
        "{the} [{gives/give}|{adds/add}] [a nice touch|character|a nice vibe]",
        "{the} {looks/look} great in pictures",
        "{the} {is} [clean|well kept|relaxing]",
        "{who} liked {the}",
        "sat [down|inside] and enjoyed {the}",
    ),
    "meh": (
        "{the} {is} [okay|not my style|nothing special|fine but loud]",
        "{the} {is} [nice|pretty] but it gets [loud|crowded|cold]",
        "{the} could use [some love|a good cleaning]",
        "not a fan of {the}",
    ),
    "bad": (
        "{the} {is} [dirty|ugly|depressing|tacky|falling apart]",
        "{the} {is} all show and nothing behind it",
        "{the} can't [make up for|save] the [food|service]",
        "{the} and the noise gave me a headache",
    ),
}

TERRACE: dict[str, tuple[str, ...]] = {
    "love": (
        "{the} {is} [gorgeous|beautiful|amazing|a dream|the place to be|perfect on a warm night]",
        "[I|we] [loved|adored] {the}",
        "sit outside, {the} {is} [wonderful|magical|worth it]",
        "ask for a table outside, {the} {is} [lovely|the best part]",
        "{the} {is} my happy place",
        "nothing beats {the} [at sunset|in the summer|on a Sunday]",
        "[we|I] spent [hours|the whole evening] enjoying {the}",
    ),
    "like": (
        "{the} {is} [nice|lovely|pretty|relaxing|pleasant]",
        "[I|we] liked {the}",
        "[nice|lovely|cute] {name}",
        "[we|I] sat outside and enjoyed {the}",
        "good place to sit outside with {name_det}",
        "{who} liked {the}",
    ),
    "meh": (
        "{the} {is} nice but [windy|crowded|noisy|a bit cold]",
        "{the} {looks/look} better in pictures",
        "{the} {is} small",
    ),
    "bad": (
        "{the} {was} dirty",
        "{the} {was} [full of smoke|full of flies|closed off for no reason]",
        "not even {the} could save [the evening|our dinner]",
    ),
}

STOREFRONT: dict[str, tuple[str, ...]] = {
    "love": (
        "look for {the}, you [won't regret it|will thank me|won't be sorry]",
        "{the} {is} [so cute|adorable|a sign of good things]",
        "whenever I see {the} I [have to stop|get hungry|smile]",
        "hidden gem behind {the}",
        "[I|we] [love|loved] {the}",
    ),
    "like": (
        "look for {the}",
        "easy to find, just look for {the}",
        "you can't miss {the}",
        "{the} caught my eye",
        "[cute|pretty|nice] {name}",
        "[we|I] walked by and saw {the}",
    ),
    "meh": (
        "{the} {looks/look} nicer than the food",
        "{the} promised more than [I|we] got",
        "we almost missed {the}",
    ),
    "bad": (
        "when you see {the}, keep walking",
        "don't be fooled by {the}",
        "{the} {is} the only nice thing here",
    ),
}
