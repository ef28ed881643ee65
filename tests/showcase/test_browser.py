"""The gallery's page and the app in a real Chromium: quiet, accessible, by mouse and keyboard, at both widths."""

import io
import os
import shutil
import threading
import time
from dataclasses import replace

import pytest
import uvicorn
from PIL import Image

from showcase_utils.serving.app import build_app
from showcase_utils.showcase import page
from showcase_utils.showcase.result import PastItem, SentenceReason

pytestmark = pytest.mark.slow
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = """'"></script></style><svg onload=alert(1)><img src=x onerror=alert(2)><script>alert(3)</script>"""
LOOKS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]


@pytest.fixture(scope="module")
def chromium():
    if not CHROMIUM:
        pytest.skip("no Chromium here (Debian's package is `chromium`)")
    playwright = pytest.importorskip("playwright.sync_api", reason="no driver here: pip install playwright")
    with playwright.sync_playwright() as driver:
        alone = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=alone)
        yield browser
        browser.close()


class Visit:
    """A tab that notes what a page should not do: write errors, ask for anything elsewhere, open dialogs."""

    def __init__(self, browser, width=1440, scheme="light"):
        self.tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.wrong, self.asked = [], []
        self.tab.on("console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.tab.on("request", lambda request: self.asked.append(request.url))

    def open_details(self):
        self.tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")

    def findings(self):
        """What axe-core finds serious or critical."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
        found = axe.Axe().run(self.tab).response["violations"]
        return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]

    def overflows(self):
        return self.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def wait(self, selector, count=None, text=None):
        """Until so many elements are there, or one with the text; without eval, which the app's policy forbids."""
        expect = pytest.importorskip("playwright.sync_api").expect
        if text is not None:
            expect(self.tab.locator(selector).first).to_contain_text(text)
        if count is not None:
            expect(self.tab.locator(selector)).to_have_count(count)

    def shown(self):
        return self.tab.locator(".showcase:visible").count()


@pytest.fixture
def visit(chromium):
    visits = []

    def open_one(*look):
        visits.append(Visit(chromium, *look))
        return visits[-1]

    yield open_one
    for one in visits:
        one.tab.close()


@pytest.fixture(scope="module")
def gallery(showcases, tmp_path_factory):
    path = tmp_path_factory.mktemp("gallery") / "gallery.html"
    pairs = [(user, place) for place in ("place1", "place2") for user in ("user0", "user2", "user3", "user4")]
    path.write_text(page(showcases.explain_many(pairs), "Showcases"), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def address(showcases):
    server = uvicorn.Server(uvicorn.Config(build_app(showcases), port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def jpeg(name, colour):
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(buffer, "JPEG")
    return {"name": name, "mimeType": "image/jpeg", "buffer": buffer.getvalue()}


@pytest.mark.parametrize("look", LOOKS)
def test_the_gallery_is_quiet_accessible_and_fits(visit, gallery, look):
    one = visit(*look)
    one.tab.goto(gallery)
    one.open_details()
    assert one.overflows() == 0 and one.findings() == []
    one.tab.check("#side")
    assert one.overflows() == 0
    assert one.asked == [gallery] or {url.partition(":")[0] for url in one.asked[1:]} == {"data"}
    assert one.wrong == []


def test_filters_by_mouse(visit, gallery):
    one = visit()
    one.tab.goto(gallery)
    assert one.shown() == 8
    one.tab.select_option("[data-filter=place]", "place1")
    assert one.shown() == 4 and one.tab.inner_text("#count") == "4 showcases"
    one.tab.select_option("[data-filter=reader]", "user3")
    assert one.shown() == 1 and one.tab.inner_text("#count") == "1 showcase"
    one.tab.locator("summary:visible").first.click()
    assert one.tab.locator(".showcase:visible details[open]").count() == 1


def test_filters_and_reasons_by_keyboard(visit, gallery):
    one = visit()
    one.tab.goto(gallery)
    press = one.tab.keyboard.press
    press("Tab")
    assert one.tab.evaluate("document.activeElement.dataset.filter") == "place"
    press("ArrowDown")
    assert one.shown() == 4
    press("Tab")
    press("ArrowDown")
    assert one.shown() == 1
    press("Tab")
    press("Space")
    assert one.tab.locator("main.side").count() == 1
    press("Tab")
    assert one.tab.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert one.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press("Enter")
    assert one.tab.locator(".showcase:visible details[open] .pulls li").count() > 0


def test_photos_that_are_shown_again_are_seen_and_printed(visit, gallery):
    one = visit()
    one.tab.goto(gallery)
    again = one.tab.locator("img[data-same]")
    assert again.count() > 0, "no photo is shown twice"
    one.tab.pdf()
    assert again.count() == 0
    one.tab.emulate_media(media="print")
    assert not one.tab.locator(".filters").is_visible()
    one.tab.emulate_media(media="screen")
    one.tab.reload()
    one.open_details()
    for card in one.tab.locator(".showcase").all():
        card.scroll_into_view_if_needed()
    seen = "[...document.images].every((image) => image.complete && image.naturalWidth > 1)"
    for _ in range(100):  # not wait_for_function: its eval in the page is what the page's policy forbids
        if one.tab.evaluate(seen):
            break
        one.tab.wait_for_timeout(100)
    assert one.tab.evaluate(seen)


def test_a_showcase_in_a_notebook_styles_itself_alone(visit, showcases, tmp_path):
    around = tmp_path / "around.html"
    plain = "<!doctype html><h1>A notebook</h1><button>run</button>"
    looks = []
    for shown in ("", showcases.explain("user0", "place1")._repr_html_()):
        around.write_text(plain + shown, encoding="utf-8")
        tab = visit().tab
        tab.goto(around.as_uri())
        style = "(name) => { const s = getComputedStyle(document.querySelector(name)); return [s.font, s.margin]; }"
        looks.append([tab.evaluate(style, name) for name in ("body", "h1", "button")])
    assert looks[0] == looks[1]
    card = "getComputedStyle(document.querySelector('.showcase')).borderRadius"
    assert tab.evaluate(card) == "16px"


@pytest.mark.parametrize(
    ("k", "width", "row"), [(3, 660, 3), (4, 950, 2), (4, 1200, 4), (5, 1200, 3), (6, 1200, 3), (8, 950, 4)]
)
def test_photos_stand_in_full_rows_and_their_reasons_keep_room_for_words(visit, showcases, tmp_path, k, width, row):
    made = showcases.explain("user0", "place1", k=k)
    pulled = [item for item in made.reasons[0].past if item.kind == "photo"]
    past = tuple(replace(item, place="One place", share=0.3) for item in (pulled * 3)[:3])
    reasons = tuple(replace(reason, relevance=1.0, past=past) for reason in made.reasons)
    (tmp_path / "page.html").write_text(replace(made, reasons=reasons).to_html(), encoding="utf-8")
    one = visit(width)
    one.tab.goto((tmp_path / "page.html").as_uri())
    one.open_details()
    tops = one.tab.evaluate("[...document.querySelectorAll('figure')].map((one) => Math.round(one.offsetTop))")
    rows = [tops.count(top) for top in sorted(set(tops))]
    assert rows == [row] * (k // row) + [k % row] * (k % row > 0)
    widths = one.tab.evaluate("[...document.querySelectorAll('.pulls span')].map((one) => one.clientWidth)")
    assert len(widths) == k and min(widths) >= 128


def test_what_a_hostile_reviewer_wrote_does_nothing(visit, showcases, tmp_path):
    made = showcases.explain("user0", "place1", k=2)
    past = PastItem("review", "1", 1.0, 1.0, HOSTILE, HOSTILE, quote=HOSTILE)
    reasons = tuple(
        replace(reason, words=HOSTILE, standing=HOSTILE, relevance=1.0, past=(past,)) for reason in made.reasons
    )
    told = (SentenceReason(HOSTILE, 0, 0.9),)
    shows = [
        replace(made, user=f"{name}{HOSTILE}", user_id=f"{name}{HOSTILE}", place=HOSTILE, business_id=HOSTILE,
                captions=(HOSTILE, HOSTILE), text=HOSTILE, reasons=reasons, sentences=told, past_texts=(HOSTILE,))
        for name in "ab"
    ]  # fmt: skip
    (tmp_path / "hostile.html").write_text(page(shows, HOSTILE), encoding="utf-8")
    one = visit()
    one.tab.goto((tmp_path / "hostile.html").as_uri())
    one.open_details()
    one.tab.select_option("[data-filter=reader]", f"b{HOSTILE}")
    assert one.shown() == 1 and one.wrong == []
    assert one.tab.locator("svg, img[src=x]").count() == 0
    assert HOSTILE in one.tab.title()


@pytest.mark.parametrize("look", LOOKS)
def test_the_app_is_quiet_accessible_and_fits(visit, address, look):
    one = visit(*look)
    one.tab.goto(address)
    one.tab.wait_for_selector(".offered")
    one.open_details()
    assert one.overflows() == 0 and one.findings() == []
    one.tab.select_option("[name=reader]", index=0)
    one.tab.select_option("[name=place]", index=0)
    one.wait("#answer", text="Drop in some photos of the place")
    one.tab.set_input_files("[data-drop=candidates] input", [jpeg("a.jpg", "red")])
    one.tab.wait_for_selector(".drop img")
    assert one.overflows() == 0 and one.findings() == []
    assert {url.split("/")[2] for url in one.asked if not url.startswith(("data:", "blob:"))} == {address.split("/")[2]}
    assert one.wrong == []


def test_what_is_moved_in_the_app_moves_the_showcase(visit, address):
    one = visit()
    one.tab.goto(address)
    figures = one.tab.locator("#answer .showcase >> nth=0 >> figure")
    one.tab.wait_for_selector(".offered")
    one.tab.focus("#k")
    one.tab.keyboard.press("Home")
    one.wait("#answer .showcase:first-child figure", 1)
    assert one.tab.inner_text("output[for=k]") == "1"
    last = one.tab.locator(".offered li").last.locator("[name=pin]")
    name = last.get_attribute("value")
    last.focus()
    one.tab.keyboard.press("Space")
    one.wait(f".offered li:first-child [name=pin][value='{name}']", 1)
    assert one.tab.evaluate("document.activeElement.value") == name, "the keyboard stays where it was"
    one.tab.check(f"[name=leave_out][value='{name}']")
    one.wait(f".offered li:first-child [name=pin][value='{name}']", 0)
    assert not one.tab.is_checked(f"[name=pin][value='{name}']") and figures.count() == 1
    assert one.wrong == []


def test_the_app_says_no_more_sentences_than_asked_for(visit, address):
    one = visit()
    one.tab.goto(address)
    one.tab.wait_for_selector(".offered")
    said = "#answer .showcase:first-child blockquote > span"
    assert one.tab.locator(said).count() > 1
    one.open_details()
    assert one.tab.inner_text("output[for=length]") == "8"
    one.tab.focus("#length")
    one.tab.keyboard.press("Home")
    one.wait(said, 1)
    assert one.tab.inner_text("output[for=length]") == "1" and one.wrong == []


def test_own_photos_and_texts_in_the_app(visit, address):
    one = visit()
    one.tab.goto(address)
    one.tab.wait_for_selector(".offered")
    one.tab.select_option("[name=reader]", index=0)
    one.tab.fill("[name=texts]", f"Great ramen.\n{HOSTILE}")
    one.tab.select_option("[name=place]", index=0)
    one.tab.fill("[name=place_name]", HOSTILE)
    bad = {"name": f"{HOSTILE}.jpg", "mimeType": "image/jpeg", "buffer": b"no photo"}
    files = [jpeg(f"{colour}.jpg", colour) for colour in ("red", "green", "blue", "gold")]
    one.tab.set_input_files("[data-drop=candidates] input", [*files, bad])
    one.wait("#problem", text="not an image")
    assert HOSTILE in one.tab.inner_text("#problem")
    one.wait(".offered li", 4)
    one.wait(".offered [name=pin][value='red.jpg']", 1)
    assert HOSTILE in one.tab.inner_text("#answer .title >> nth=0")
    one.tab.click("[aria-label='remove gold.jpg']")
    one.wait(".offered li", 3)
    assert one.tab.locator("#answer svg, #answer script").count() == 0
    assert [words for words in one.wrong if "400 (Bad Request)" not in words] == []
