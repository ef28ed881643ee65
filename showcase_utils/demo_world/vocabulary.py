"""The words of the demo city and what each of them looks like.

Everything a sentence of the demo world can name is a row of this file, and every row says how it is
painted, so that text and photo share one source. ``painting.py`` reads the looks, ``writing.py`` the words,
and the evaluation's ground-truth reader finds the words again in generated text.
"""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Base:
    """What a dish is built on: the head noun of its name and the outline of its picture."""

    name: str
    shape: str  # painting.py has one painter per shape
    colour: RGB


@dataclass(frozen=True)
class Piece:
    """Something scattered or laid on a base: a main ingredient or a topping."""

    name: str
    shape: str  # slices, cubes, curls, balls, strips, rounds, eggs, leaves, rings, dots, shreds, wedges
    colour: RGB


@dataclass(frozen=True)
class Vessel:
    """What a dish is served on or in."""

    name: str
    shape: str  # plate, bowl, board, basket, leaf, pan, slate
    colour: RGB


@dataclass(frozen=True)
class Drink:
    """A drink: its glass, its liquid and what sits on the rim or the top."""

    name: str
    glass: str  # tall, mug, wine, cocktail, cup, coconut, bottle
    colour: RGB
    garnish: str  # lime, foam, straw, bubbles, berry, mint, umbrella, none


@dataclass(frozen=True)
class Dessert:
    """A dessert: its outline and two colours."""

    name: str
    shape: str  # cake, scoops, donut, sticks, tart, pudding, squares, sticky_rice, cookies
    colour: RGB
    accent: RGB


@dataclass(frozen=True)
class Ambience:
    """A style of room: walls, furniture, light."""

    name: str
    wall: RGB
    floor: RGB
    wood: RGB
    accent: RGB
    light: str  # candles, daylight, lanterns, neon, chandelier, bulbs


@dataclass(frozen=True)
class Cuisine:
    """What a kitchen draws from; names refer to the tables below."""

    name: str
    bases: tuple[str, ...]
    mains: tuple[str, ...]
    preparations: tuple[str, ...]
    toppings: tuple[str, ...]
    sauces: tuple[str, ...]
    vessels: tuple[str, ...]
    drinks: tuple[str, ...]
    desserts: tuple[str, ...]
    heat: float  # 0 mild … 1 hot: how often chili finds its way onto a dish


def _by_name(rows):
    return {row.name: row for row in rows}


BASES: dict[str, Base] = _by_name(
    [
        Base("tacos", "tacos", (233, 196, 106)),
        Base("burrito", "burrito", (226, 190, 140)),
        Base("burger", "burger", (205, 133, 63)),
        Base("sandwich", "sandwich", (214, 170, 110)),
        Base("pizza", "pizza", (222, 178, 106)),
        Base("pasta", "pasta", (240, 210, 130)),
        Base("risotto", "mound", (240, 228, 190)),
        Base("ramen", "soup_noodles", (236, 206, 130)),
        Base("noodles", "noodles", (225, 185, 110)),
        Base("rice bowl", "grain_bowl", (248, 246, 240)),
        Base("sushi rolls", "rolls", (246, 246, 242)),
        Base("dumplings", "dumplings", (242, 230, 205)),
        Base("curry", "curry", (214, 140, 50)),
        Base("soup", "soup", (206, 120, 60)),
        Base("stew", "stew", (140, 82, 50)),
        Base("salad", "salad", (110, 168, 70)),
        Base("skewers", "skewers", (196, 160, 110)),
        Base("flatbread", "flatbread", (226, 190, 130)),
        Base("pita", "pita", (232, 206, 160)),
        Base("fries", "fries", (240, 200, 80)),
        Base("omelette", "omelette", (250, 212, 90)),
        Base("crepe", "crepe", (238, 205, 140)),
        Base("paella", "paella", (232, 176, 62)),
        Base("steak plate", "cutlet", (150, 84, 56)),
        Base("spring rolls", "spring_rolls", (224, 172, 96)),
    ]
)

MAINS: dict[str, Piece] = _by_name(
    [
        Piece("shrimp", "curls", (250, 138, 108)),
        Piece("chicken", "strips", (236, 192, 128)),
        Piece("beef", "strips", (122, 66, 48)),
        Piece("pork", "slices", (226, 152, 134)),
        Piece("lamb", "cubes", (142, 78, 62)),
        Piece("duck", "slices", (164, 84, 50)),
        Piece("salmon", "slices", (252, 142, 92)),
        Piece("tuna", "cubes", (198, 48, 72)),
        Piece("squid", "rings", (246, 226, 222)),
        Piece("crab", "shreds", (240, 96, 72)),
        Piece("tofu", "cubes", (250, 240, 214)),
        Piece("mushroom", "rounds", (170, 134, 100)),
        Piece("eggplant", "rounds", (98, 52, 110)),
        Piece("falafel", "balls", (146, 104, 44)),
        Piece("meatball", "balls", (118, 66, 44)),
        Piece("sausage", "rounds", (184, 72, 50)),
        Piece("egg", "eggs", (252, 206, 60)),
        Piece("paneer", "cubes", (252, 234, 190)),
        Piece("spinach", "leaves", (46, 112, 52)),
        Piece("pumpkin", "cubes", (240, 142, 36)),
    ]
)

PREPARATIONS: dict[str, str] = {  # name -> the mark it leaves on the main ingredient
    "grilled": "stripes",
    "fried": "crust",
    "steamed": "pale",
    "roasted": "brown",
    "smoked": "dark",
}

TOPPINGS: dict[str, Piece] = _by_name(
    [
        Piece("avocado", "wedges", (142, 186, 84)),
        Piece("cilantro", "leaves", (52, 142, 62)),
        Piece("basil", "leaves", (30, 104, 44)),
        Piece("chili", "rings", (216, 32, 32)),
        Piece("sesame", "dots", (250, 242, 214)),
        Piece("peanuts", "dots", (206, 156, 88)),
        Piece("olives", "rings", (44, 40, 52)),
        Piece("tomatoes", "rounds", (228, 52, 44)),
        Piece("feta", "cubes", (252, 252, 246)),
        Piece("cheese", "shreds", (254, 204, 66)),
        Piece("red onions", "rings", (176, 66, 130)),
        Piece("scallions", "rings", (112, 190, 78)),
        Piece("pickles", "rounds", (136, 154, 56)),
        Piece("lemon", "wedges", (252, 226, 72)),
        Piece("mango", "cubes", (254, 170, 50)),
        Piece("corn", "dots", (254, 214, 56)),
        Piece("seaweed", "strips", (28, 60, 48)),
        Piece("pomegranate", "dots", (182, 20, 62)),
    ]
)

SAUCES: dict[str, RGB] = {
    "tomato sauce": (176, 34, 40),
    "pesto": (86, 132, 44),
    "cream sauce": (246, 222, 164),
    "teriyaki sauce": (92, 46, 22),
    "curry sauce": (222, 138, 24),
    "yogurt sauce": (250, 250, 248),
    "black bean sauce": (44, 30, 28),
    "salsa verde": (128, 172, 60),
    "chili sauce": (242, 88, 22),
    "mustard": (218, 206, 52),
    "tahini": (226, 204, 160),
    "beet sauce": (158, 26, 84),
}

VESSELS: dict[str, Vessel] = _by_name(
    [
        Vessel("white plate", "plate", (246, 246, 244)),
        Vessel("blue plate", "plate", (72, 112, 178)),
        Vessel("red plate", "plate", (190, 54, 48)),
        Vessel("white bowl", "bowl", (244, 244, 242)),
        Vessel("blue bowl", "bowl", (54, 92, 156)),
        Vessel("black bowl", "bowl", (40, 40, 44)),
        Vessel("clay pot", "bowl", (176, 96, 58)),
        Vessel("wooden board", "board", (172, 122, 72)),
        Vessel("paper basket", "basket", (226, 80, 70)),
        Vessel("banana leaf", "leaf", (70, 138, 62)),
        Vessel("iron pan", "pan", (52, 52, 56)),
        Vessel("slate", "slate", (74, 80, 88)),
    ]
)

DRINKS: dict[str, Drink] = _by_name(
    [
        Drink("margarita", "cocktail", (190, 218, 110), "lime"),
        Drink("beer", "mug", (240, 176, 44), "foam"),
        Drink("red wine", "wine", (126, 18, 46), "none"),
        Drink("white wine", "wine", (238, 226, 150), "none"),
        Drink("iced coffee", "tall", (112, 70, 42), "straw"),
        Drink("latte", "cup", (196, 150, 104), "foam"),
        Drink("green tea", "cup", (158, 184, 84), "none"),
        Drink("mango lassi", "tall", (252, 186, 76), "straw"),
        Drink("bubble tea", "tall", (214, 176, 140), "bubbles"),
        Drink("lemonade", "tall", (250, 232, 110), "mint"),
        Drink("mojito", "tall", (206, 232, 190), "mint"),
        Drink("strawberry shake", "tall", (246, 150, 170), "berry"),
        Drink("coconut water", "coconut", (120, 82, 50), "straw"),
        Drink("blue cocktail", "cocktail", (60, 140, 226), "umbrella"),
        Drink("hibiscus tea", "tall", (196, 26, 66), "mint"),
        Drink("sake", "bottle", (236, 240, 244), "none"),
    ]
)

DESSERTS: dict[str, Dessert] = _by_name(
    [
        Dessert("chocolate cake", "cake", (86, 48, 30), (58, 30, 20)),
        Dessert("cheesecake", "cake", (250, 232, 180), (206, 150, 84)),
        Dessert("carrot cake", "cake", (204, 120, 56), (252, 246, 236)),
        Dessert("matcha ice cream", "scoops", (150, 184, 92), (224, 180, 110)),
        Dessert("strawberry ice cream", "scoops", (248, 150, 168), (224, 180, 110)),
        Dessert("vanilla ice cream", "scoops", (252, 242, 208), (224, 180, 110)),
        Dessert("glazed donut", "donut", (240, 140, 180), (226, 166, 88)),
        Dessert("churros", "sticks", (206, 138, 62), (92, 50, 28)),
        Dessert("fruit tart", "tart", (226, 174, 96), (222, 44, 60)),
        Dessert("flan", "pudding", (244, 200, 96), (166, 84, 24)),
        Dessert("panna cotta", "pudding", (252, 248, 240), (190, 24, 60)),
        Dessert("baklava", "squares", (212, 150, 66), (124, 160, 70)),
        Dessert("mango sticky rice", "sticky_rice", (250, 248, 240), (254, 176, 44)),
        Dessert("macarons", "cookies", (240, 168, 196), (160, 206, 170)),
    ]
)

AMBIENCES: dict[str, Ambience] = _by_name(
    [
        Ambience("candlelit", (96, 46, 44), (60, 38, 30), (84, 52, 34), (250, 196, 96), "candles"),
        Ambience("modern", (236, 238, 240), (188, 190, 194), (218, 214, 206), (44, 48, 56), "daylight"),
        Ambience("rustic", (190, 152, 108), (126, 88, 56), (142, 94, 54), (92, 128, 70), "bulbs"),
        Ambience("colorful", (40, 160, 168), (226, 178, 90), (236, 98, 64), (244, 206, 60), "lanterns"),
        Ambience("elegant", (232, 222, 200), (120, 92, 84), (88, 40, 44), (206, 172, 92), "chandelier"),
        Ambience("neon", (36, 28, 58), (26, 24, 40), (60, 52, 84), (246, 60, 170), "neon"),
    ]
)

AWNINGS: dict[str, RGB] = {
    "red": (200, 44, 40),
    "green": (46, 128, 74),
    "blue": (48, 96, 176),
    "yellow": (240, 192, 52),
    "black": (44, 44, 48),
    "orange": (238, 124, 40),
}

TERRACES: dict[str, str] = {  # name -> the feature painting.py draws
    "umbrellas": "umbrellas",
    "string lights": "string_lights",
    "plants": "plants",
    "river view": "river",
    "fire pit": "fire_pit",
}

CUISINES: dict[str, Cuisine] = _by_name(
    [
        Cuisine(
            "mexican",
            ("tacos", "burrito", "soup", "salad", "rice bowl"),
            ("shrimp", "chicken", "beef", "pork", "mushroom"),
            ("grilled", "fried", "smoked", "roasted"),
            ("avocado", "cilantro", "chili", "corn", "red onions", "cheese", "mango"),
            ("salsa verde", "chili sauce", "tomato sauce"),
            ("red plate", "wooden board", "paper basket", "clay pot"),
            ("margarita", "beer", "hibiscus tea", "lemonade"),
            ("churros", "flan"),
            0.6,
        ),
        Cuisine(
            "japanese",
            ("ramen", "sushi rolls", "rice bowl", "skewers", "dumplings"),
            ("salmon", "tuna", "pork", "tofu", "egg", "crab", "chicken"),
            ("grilled", "fried", "steamed", "roasted"),
            ("sesame", "seaweed", "scallions", "avocado"),
            ("teriyaki sauce", "cream sauce"),
            ("black bowl", "slate", "blue bowl", "wooden board"),
            ("sake", "green tea", "beer"),
            ("matcha ice cream", "cheesecake"),
            0.2,
        ),
        Cuisine(
            "italian",
            ("pizza", "pasta", "risotto", "salad", "sandwich"),
            ("mushroom", "sausage", "meatball", "shrimp", "eggplant", "spinach"),
            ("roasted", "grilled", "smoked"),
            ("basil", "tomatoes", "olives", "cheese", "lemon"),
            ("tomato sauce", "pesto", "cream sauce"),
            ("white plate", "wooden board", "blue plate", "iron pan"),
            ("red wine", "white wine", "latte"),
            ("panna cotta", "fruit tart"),
            0.15,
        ),
        Cuisine(
            "thai",
            ("curry", "noodles", "soup", "spring rolls", "salad"),
            ("shrimp", "chicken", "tofu", "squid", "duck"),
            ("fried", "steamed", "grilled"),
            ("peanuts", "chili", "cilantro", "mango", "scallions"),
            ("curry sauce", "chili sauce"),
            ("banana leaf", "blue bowl", "white bowl", "clay pot"),
            ("iced coffee", "coconut water", "lemonade"),
            ("mango sticky rice",),
            0.8,
        ),
        Cuisine(
            "indian",
            ("curry", "flatbread", "rice bowl", "skewers", "stew"),
            ("paneer", "chicken", "lamb", "spinach", "pumpkin", "eggplant"),
            ("roasted", "grilled", "fried"),
            ("cilantro", "chili", "red onions", "pomegranate", "lemon"),
            ("curry sauce", "yogurt sauce", "tomato sauce"),
            ("clay pot", "iron pan", "white bowl", "banana leaf"),
            ("mango lassi", "beer", "green tea"),
            ("vanilla ice cream", "flan"),
            0.7,
        ),
        Cuisine(
            "chinese",
            ("dumplings", "noodles", "soup", "rice bowl", "spring rolls"),
            ("pork", "duck", "beef", "tofu", "shrimp", "eggplant"),
            ("steamed", "fried", "roasted"),
            ("scallions", "sesame", "chili", "peanuts", "corn"),
            ("black bean sauce", "chili sauce", "teriyaki sauce"),
            ("white bowl", "blue plate", "blue bowl", "red plate"),
            ("green tea", "beer", "bubble tea"),
            ("glazed donut", "vanilla ice cream"),
            0.45,
        ),
        Cuisine(
            "korean",
            ("rice bowl", "stew", "noodles", "skewers", "dumplings"),
            ("beef", "pork", "tofu", "squid", "egg", "chicken"),
            ("grilled", "fried", "smoked"),
            ("scallions", "sesame", "seaweed", "chili", "pickles"),
            ("chili sauce", "black bean sauce"),
            ("black bowl", "iron pan", "slate", "clay pot"),
            ("beer", "sake", "green tea"),
            ("matcha ice cream", "glazed donut"),
            0.75,
        ),
        Cuisine(
            "american",
            ("burger", "sandwich", "fries", "salad", "steak plate"),
            ("beef", "chicken", "sausage", "mushroom", "crab"),
            ("grilled", "fried", "smoked"),
            ("cheese", "pickles", "tomatoes", "red onions", "avocado", "corn"),
            ("mustard", "tomato sauce", "cream sauce"),
            ("paper basket", "white plate", "wooden board", "red plate"),
            ("beer", "strawberry shake", "iced coffee", "lemonade"),
            ("chocolate cake", "carrot cake", "glazed donut"),
            0.2,
        ),
        Cuisine(
            "greek",
            ("pita", "salad", "skewers", "flatbread", "stew"),
            ("lamb", "chicken", "squid", "eggplant", "meatball"),
            ("grilled", "roasted", "fried"),
            ("feta", "olives", "tomatoes", "lemon", "red onions"),
            ("yogurt sauce", "tahini", "tomato sauce"),
            ("blue plate", "white plate", "clay pot", "wooden board"),
            ("white wine", "red wine", "lemonade"),
            ("baklava", "cheesecake"),
            0.1,
        ),
        Cuisine(
            "lebanese",
            ("pita", "flatbread", "rice bowl", "salad", "skewers"),
            ("falafel", "lamb", "chicken", "eggplant", "beef"),
            ("fried", "grilled", "roasted", "smoked"),
            ("pomegranate", "pickles", "tomatoes", "lemon", "olives"),
            ("tahini", "yogurt sauce", "beet sauce"),
            ("blue bowl", "white plate", "slate", "wooden board"),
            ("hibiscus tea", "lemonade", "red wine"),
            ("baklava",),
            0.2,
        ),
        Cuisine(
            "vietnamese",
            ("soup", "noodles", "sandwich", "spring rolls", "rice bowl"),
            ("beef", "pork", "shrimp", "tofu", "crab"),
            ("grilled", "steamed", "fried"),
            ("basil", "cilantro", "peanuts", "chili", "pickles", "lemon"),
            ("chili sauce", "teriyaki sauce"),
            ("white bowl", "banana leaf", "blue bowl", "paper basket"),
            ("iced coffee", "coconut water", "beer"),
            ("flan", "mango sticky rice"),
            0.4,
        ),
        Cuisine(
            "spanish",
            ("paella", "omelette", "sandwich", "skewers", "soup"),
            ("shrimp", "squid", "sausage", "pork", "mushroom"),
            ("grilled", "smoked", "fried"),
            ("lemon", "olives", "tomatoes", "red onions", "basil"),
            ("tomato sauce", "pesto", "mustard"),
            ("iron pan", "white plate", "slate", "clay pot"),
            ("red wine", "blue cocktail", "white wine"),
            ("churros", "flan"),
            0.2,
        ),
        Cuisine(
            "french",
            ("crepe", "omelette", "steak plate", "soup", "salad"),
            ("duck", "egg", "salmon", "mushroom", "spinach", "beef"),
            ("roasted", "smoked", "grilled"),
            ("cheese", "lemon", "basil", "tomatoes", "olives"),
            ("cream sauce", "mustard", "pesto"),
            ("white plate", "slate", "blue plate", "iron pan"),
            ("white wine", "red wine", "latte"),
            ("macarons", "fruit tart", "chocolate cake"),
            0.05,
        ),
        Cuisine(
            "hawaiian",
            ("rice bowl", "burger", "salad", "tacos", "skewers"),
            ("tuna", "salmon", "shrimp", "pork", "tofu"),
            ("grilled", "smoked", "fried"),
            ("mango", "seaweed", "sesame", "avocado", "scallions", "corn"),
            ("teriyaki sauce", "chili sauce", "beet sauce"),
            ("wooden board", "banana leaf", "blue bowl", "white plate"),
            ("blue cocktail", "mojito", "coconut water", "iced coffee"),
            ("strawberry ice cream", "carrot cake"),
            0.25,
        ),
    ]
)
