"""What people say that no photo shows: praise in general, service, waiting, prices, parking. Syntax: phrases.py.

Nothing here names a dish, drink, dessert, room, terrace or storefront.
"""

from __future__ import annotations

COMPANY = (
    "my wife", "my husband", "my friend", "my girlfriend", "my boyfriend", "my mom", "my dad", "my son", "my daughter",
    "my sister", "my brother", "my partner", "my coworker", "my roommate",
)  # fmt: skip

GENERIC: dict[str, tuple[str, ...]] = {
    "great": (
        "food is [very|so|really] good", "great food", "great place", "amazing food", "love this place",
        "[I|we] love this place", "excellent food and service", "best place in town", "highly recommend",
        "highly recommended", "[will|we will|I'll] definitely be back", "can't wait to [come|go] back",
        "everything was [perfect|delicious|amazing|excellent|wonderful]",
        "everything we [tried|ordered|ate] was [great|amazing]",
        "[my|our] [favorite|new favorite] [place|spot|restaurant]", "a hidden gem", "five stars", "must visit",
        "never disappoints", "one of the best [meals|dinners|lunches] [of my life|this year|in a long time]",
        "[absolutely|simply] the best", "[the|this] food here is [always |]amazing", "you won't be disappointed",
        "so [happy|glad] we found this place", "delicious from start to finish", "10 out of 10",
        "the flavors are [incredible|amazing|out of this world]", "worth [the drive|the wait|every dollar|the hype]",
        "great [experience|atmosphere|vibes|flavors]", "what a [gem|find|treat]", "you can taste the love in the food",
        "portions are [huge|generous|big]", "[always|still] [great|consistent|delicious]", "we will be back for sure",
        "yum", "wow", "keep up the good work", "the whole family loved it", "I can't say enough good things",
        "been coming here for years and it never lets me down",
    ),
    "good": (
        "food is good", "good food", "nice place", "good experience overall", "pretty good",
        "overall a good [meal|visit]",
        "would come back", "I would go again", "[nice|good] [atmosphere|spot|vibe]", "solid place",
        "good [place|spot] for [lunch|dinner|families|a quick bite]", "the food was [good|tasty|fresh]",
        "not bad at all", "food [good|great], [service|place] okay", "good but not [perfect|the best]",
        "we enjoyed our [meal|dinner|lunch]", "recommended", "nice [place|spot] to meet friends", "good portions",
        "tasty food", "[decent|nice] menu", "glad we stopped by",
    ),
    "mixed": (
        "food was okay", "just okay", "it's fine", "average", "nothing special", "not bad, not great",
        "I expected more", "it used to be better", "hit or miss", "a bit overrated", "might give it another try",
        "some dishes were good, others not so much", "[I|we] wanted to like it more", "could be better",
        "mixed feelings about this place", "decent if you are in the area",
    ),
    "poor": (
        "not coming back", "never again", "[very|so] disappointed", "terrible experience", "worst meal ever",
        "save your money", "do not recommend", "go somewhere else", "the food was [awful|cold|bad|terrible]",
        "[not|never] worth it", "what a waste of [money|time]", "overrated", "I don't get the hype",
        "zero stars if I could", "we left hungry", "used to be good, not anymore", "not good",
    ),
}  # fmt: skip

SERVICE: dict[str, tuple[str, ...]] = {
    "good": (
        "[service|the service] was [great|excellent|fast|super friendly|outstanding|quick and friendly]",
        "[our|the] [server|waiter|waitress] was [so nice|super friendly|very attentive|the sweetest|a delight]",
        "the staff [is|was|are] [so |very |super |][friendly|kind|welcoming|helpful|attentive]",
        "[friendly|great|wonderful|attentive] [staff|service]",
        "[Maria|Kevin|Anna|Luis|Sofia|Jake|Mei|Omar] took [great|such good] care of us",
        "the owner [came to our table|is the nicest person|made us feel welcome]",
        "they treat you like family", "the chef came out to say hi", "[fast|quick] service",
        "they were [so |very |]patient with [our|my] [kids|questions|big group]",
        "everyone was [smiling|friendly|so nice]", "they remembered [my|our] order from last time",
    ),
    "bad": (
        "[service|the service] was [slow|terrible|rude|awful|a joke]",
        "[our|the] [server|waiter|waitress] [forgot our order|was rude|ignored us|disappeared]",
        "the staff [was|were] [rude|clueless|unfriendly|on their phones]",
        "nobody [checked on us|greeted us|apologized]", "they got [our|my] order wrong [twice|again]",
        "slow service", "we had to ask [twice|three times] for the check",
        "they looked annoyed that we [came in|were there]", "the manager [did not care|was no help]",
        "poor service",
    ),
}  # fmt: skip

WAITING: dict[str, tuple[str, ...]] = {
    "good": (
        "we [were seated right away|got a table right away|did not have to wait]", "no wait at all",
        "food came out [fast|quickly|in ten minutes]", "[in and out|served] in [twenty|thirty] minutes",
        "it was busy but [the line moved fast|worth the wait]", "make a reservation, it fills up fast",
        "there is always a line and now I know why", "come early, it gets packed",
    ),
    "bad": (
        "we waited [forty minutes|an hour|over an hour|forever] for [a table|our food|the check]",
        "[long|very long|crazy] wait", "the wait was [too long|ridiculous|over an hour]",
        "it took [forty minutes|an hour|ages] to get our food", "we had a reservation and still waited",
        "the line was out the door", "don't come here if you are in a hurry",
    ),
}  # fmt: skip

PRICES: dict[str, tuple[str, ...]] = {
    "good": (
        "prices are [great|fair|reasonable|very good|more than fair]", "[great|good] value[| for money]",
        "[reasonable|fair|good] prices", "you get a lot for your money", "cheap and good", "very affordable",
        "the lunch special is a steal", "not cheap but worth it", "happy hour is a great deal",
    ),
    "bad": (
        "[a bit|a little|way too|too] [expensive|pricey]", "prices are [too high|crazy|out of control|steep]",
        "overpriced for what you get", "small portions for the price", "they added a service charge without telling us",
        "[pricey|expensive] but it's the location", "be ready to spend",
    ),
}  # fmt: skip

AROUND: dict[str, tuple[str, ...]] = {
    "good": (
        "[easy|plenty of|free] parking", "[easy|lots of] street parking nearby",
        "close to the [subway|train|park|hotel]",
        "great location", "they [take reservations|take cards|have wifi|are open late]", "dog friendly",
        "[great|good] for [kids|families|groups|date night]", "the bathrooms are [clean|spotless]",
        "the music was [great|just right]", "we came for [our anniversary|a birthday|a birthday dinner|a date]",
        "came here with {who} after work", "stopped here on our road trip", "we were visiting from out of town",
        "[went|came] on a [Friday|Saturday|Sunday|Tuesday] [night|afternoon]", "takeout was easy too",
        "wheelchair accessible", "{who} brought me here",
    ),
    "bad": (
        "parking is [a nightmare|terrible|hard to find|a pain]", "no parking [at all|nearby]", "cash only",
        "the music was too loud", "the bathrooms [were dirty|need work]", "it was [freezing|hot|so loud] inside",
        "they close early", "tables are too close together", "hard to find", "the website had the wrong hours",
        "{who} found a hair in the food", "went on a [Friday|Saturday|Sunday] night and it was chaos",
    ),
}  # fmt: skip

OPENERS = (
    "", "", "", "", "ok so ", "honestly, ", "wow, ", "yum, ", "seriously, ", "oh and ", "also, ", "by the way, ",
    "gotta say, ",
    "let me tell you, ", "not gonna lie, ", "as always, ", "once again, ", "trust me, ", "man, ",
    "personally, ", "for me, ", "this time, ", "well, ",
)  # fmt: skip
GLAD_EMOJI = ("😍", "😋", "💕", "🔥", "👌", "🤤", "🙌", "💯", "😊")
SAD_EMOJI = ("😞", "🙄", "👎", "😡", "😕")

MISSPELLINGS = {
    "definitely": "definately", "restaurant": "restaraunt", "really": "realy", "delicious": "delicous",
    "atmosphere": "atmoshpere", "recommend": "recomend", "recommended": "reccomended", "their": "thier",
    "favorite": "favorit", "disappointed": "dissapointed", "disappointing": "dissapointing", "friendly": "freindly",
    "experience": "experiance", "excellent": "excelent", "amazing": "amazin", "portions": "portons",
    "reservation": "resevation", "service": "servise", "perfect": "prefect", "beautiful": "beatiful",
}  # fmt: skip
