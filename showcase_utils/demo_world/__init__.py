"""A made-up city in the published file format: restaurants, people, reviews, photos and the truth about them."""
