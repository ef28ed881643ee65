from __future__ import annotations

import pytest

from showcase_utils.demo_world.naming import agrees, find_mentions, names
from showcase_utils.demo_world.scenes import Scene


def scenes(text):
    return [mention.scene for mention in find_mentions(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The grilled shrimp tacos were great!", [Scene("dish", "tacos", "shrimp", "grilled")]),
        ("Loved the SHRIMP TACO.", [Scene("dish", "tacos", "shrimp")]),
        ("best tacos ever", [Scene("dish", "tacos")]),
        ("two beef burgers please", [Scene("dish", "burger", "beef")]),
        ("the chicken was dry", [Scene("dish", main="chicken")]),
        ("the mushrooms in the pasta were raw", [Scene("dish", "pasta", "mushroom")]),
        ("The eggplant curry in curry sauce", [Scene("dish", "curry", "eggplant", sauce="curry sauce")]),
        (
            "fried tofu noodles with peanuts and tomatoes in a blue bowl",
            [Scene("dish", "noodles", "tofu", "fried", ("peanuts", "tomatoes"), "", "blue bowl")],
        ),
        ("beef burger and shrimp tacos", [Scene("dish", "burger", "beef"), Scene("dish", "tacos", "shrimp")]),
        ("The fried. Shrimp tacos", [Scene("dish", "tacos", "shrimp")]),  # a name ends with its sentence
        ("a mango lassi and mango sticky rice",
         [Scene("drink", drink="mango lassi"), Scene("dessert", dessert="mango sticky rice")]),
        ("one churro, three macarons", [Scene("dessert", dessert="churros"), Scene("dessert", dessert="macarons")]),
        ("carrot cake and a glass of red wine",
         [Scene("dessert", dessert="carrot cake"), Scene("drink", drink="red wine")]),
        ("a candlelit dining room", [Scene("interior", ambience="candlelit")]),
        ("the decor is very modern", [Scene("interior", ambience="modern")]),
        ("a modern take on the classics", []),
        ("string lights on the patio", [Scene("terrace", terrace="string lights")]),
        ("the view of the river from the terrace", [Scene("terrace", terrace="river view")]),
        ("we sat on the terrace", [Scene("terrace")]),
        ("look for the little yellow awning", [Scene("storefront", awning="yellow")]),
        ("the red chairs", []),
        ("Great service, easy parking.", []),
        ("", []),
    ],
)  # fmt: skip
def test_mentions(text, expected):
    assert scenes(text) == expected


def test_a_mention_knows_where_it_stands():
    text = "Wow. The Grilled Shrimp Tacos were great, so was the beer."
    dish, drink = find_mentions(text)
    assert (dish.text, drink.text) == ("Grilled Shrimp Tacos", "beer")
    assert text[dish.start : dish.end] == dish.text and text[drink.start : drink.end] == drink.text


def test_what_is_said_must_be_shown():
    tacos = Scene("dish", "tacos", "shrimp", "grilled", ("avocado",), "salsa verde", "red plate")
    assert names("the tacos", tacos) and names("shrimp tacos!", tacos) and names("grilled shrimp tacos", tacos)
    assert not names("the beef tacos", tacos)
    assert not names("fried shrimp tacos", tacos)
    assert not names("the shrimp burger", tacos)
    assert not names("lots of avocado", tacos)  # a topping alone is not a name
    assert names("the tacos with mango", tacos)  # toppings do not decide
    assert not agrees(Scene("drink"), tacos)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dishes", "drinks", "desserts"])
def test_every_name_of_every_menu_is_found_alone_and_in_plural(demo_city, kind):
    menu = {offer.scene for restaurant in demo_city.restaurants for offer in getattr(restaurant, kind)}
    for scene in menu:
        for text in (f"The {scene.name}.", f"{scene.name}s, please", scene.name.upper()):
            (mention,) = find_mentions(text)
            assert agrees(mention.scene, scene) and mention.scene.name == scene.name
