"""The product: photos and text that say why a place suits somebody.

from showcase_utils import Place, Profile, Showcases

showcases = Showcases.load("demo")
showcases.explain(user_id, business_id, k=3)
showcases.explain(Profile(texts=["Great ramen."], photos=["mine/1.jpg"]), Place("photos/of/a/place"))
"""

from showcase_utils.showcase.explain import Showcases
from showcase_utils.showcase.material import Place, Profile
from showcase_utils.showcase.page import page
from showcase_utils.showcase.result import PastItem, PhotoReason, SentenceReason, Showcase

__all__ = ["PastItem", "PhotoReason", "Place", "Profile", "SentenceReason", "Showcase", "Showcases", "page"]
