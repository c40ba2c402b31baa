"""The page to draw on, in real Chromium: mouse, touch, keyboard, pictures, and what it tells."""

import io
import re
from base64 import b64decode, b64encode
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from docs import digits, pages
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.images.normalization import read_picture

REFUSED = "Failed to load resource"  # what Chromium says of every answer that is an error
# Hands a file over as dragging or the clipboard does.
HAND_OVER = """([type, carrier, png]) => {
  const data = new DataTransfer();
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  data.items.add(new File([bytes], "digit.png", { type: "image/png" }));
  const Kind = type === "paste" ? ClipboardEvent : DragEvent;
  document.body.dispatchEvent(new Kind(type, { [carrier]: data, bubbles: true }));
}"""
V = [[(0.2, 0.2), (0.5, 0.8), (0.8, 0.2)]]
TAB_ORDER = ["Paper to draw on", "Undo", "Clear", "Choose a picture", "Ask it over HTTP."]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        pages.CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"
    ),
]


@pytest.fixture(scope="module")
def browser():
    with pages.chromium_page() as page:
        yield page.context.browser


@contextmanager
def opened(browser, url, width=1280, height=900, phone=False):
    """The page; until it is closed it has no error, and asks nobody but its own server."""
    wrong = []
    size = {"width": width, "height": height}
    page = browser.new_page(viewport=size, is_mobile=phone, has_touch=phone)
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url))
    page.goto(url)
    expect(page.get_by_role("listitem")).to_have_count(10)
    yield page
    page.close()
    allowed = (f"{url}/", f"blob:{url}/", REFUSED)
    assert [each for each in wrong if not each.startswith(allowed)] == []


@pytest.fixture
def page(browser, demo_url):
    with opened(browser, demo_url) as page:
        yield page


@pytest.fixture(params=[(390, 844), (360, 640)], ids=["390 x 844", "360 x 640"])
def phone(browser, demo_url, request):
    with opened(browser, demo_url, *request.param, phone=True) as page:
        yield page


@pytest.fixture(scope="module")
def digit():
    """An image from MNIST's stand-in, `uint8 (28, 28)`, and its label."""
    arrays = embedded_digits()
    return arrays.train_images[4], arrays.train_labels[4]


def png(image):
    """Bytes of a picture of dark ink on white paper."""
    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, "PNG")
    return file.getvalue()


def expect_label(page, label):
    expect(page.locator("#label")).to_have_text(str(label))


def expect_blank(page):
    expect_label(page, "?")
    assert ink(page, "#canvas").max() == ink(page, "#seen").max() == 0
    assert set(page.get_by_role("listitem").all_inner_texts()) == {
        f"{i}\n0.0\xa0%" for i in range(10)
    }


def pixels(page, canvas):
    """Red, green, blue and opacity of a canvas: `uint8 (height, width, 4)`."""
    url = page.locator(canvas).evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(b64decode(url.partition(",")[2]))))


def ink(page, canvas):
    """How much ink is where, on the paper or as the model sees it: `uint8 (height, width)`."""
    return pixels(page, canvas)[:, :, 3]


def spoken(page):
    """What screen readers are to say."""
    return page.get_by_role("status")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize("number", [1, 3])
def test_reads_what_the_mouse_draws(page, number):
    digits.draw(page, number)
    expect(spoken(page)).to_have_text(re.compile(rf"^{number}, \d+\.\d\s% sure\.$"))
    expect_label(page, number)
    label, probability = page.locator(".highest").inner_text().splitlines()
    assert label == str(number)
    assert page.locator("#confidence").inner_text() == f"{probability} sure"
    assert ink(page, "#seen").max() > 200


def test_reads_what_a_finger_draws_and_does_not_scroll(phone):
    number = 7
    assert phone.evaluate("document.documentElement.scrollWidth == innerWidth")
    assert phone.evaluate("document.documentElement.scrollHeight > innerHeight")
    finger = phone.context.new_cdp_session(phone)
    for stroke in digits.on_screen(phone, number):
        for i, (x, y) in enumerate(stroke):
            kind = "touchMove" if i else "touchStart"
            points = {"touchPoints": [{"x": x, "y": y}]}
            finger.send("Input.dispatchTouchEvent", {"type": kind, **points})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_label(phone, number)
    assert phone.evaluate("scrollY") == 0
    for part in ("#label", "#confidence", "#remark"):
        box = phone.locator(part).bounding_box()
        assert box["y"] + box["height"] < phone.viewport_size["height"]
    expect(phone.locator("#keys")).to_be_hidden()
    shown = phone.locator(".highest span").last
    shown.evaluate("text => { text.textContent = '100.0\u00a0%'; }")
    assert shown.evaluate("text => text.scrollWidth <= text.clientWidth")


def test_reads_while_the_pen_is_down(page):
    (stroke,) = digits.on_screen(page, 0)
    page.mouse.move(*stroke[0])
    page.mouse.down()
    for point in stroke:
        page.mouse.move(*point)
    expect(page.locator("#label")).to_have_text("0")
    expect(page.locator("#confidence")).to_have_text(re.compile(r"^\d+\.\d\s% sure$"))


def test_asks_once_at_a_time_and_then_for_the_newest(page):
    asked = []

    def hold_the_first(route):
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route("**/predict", hold_the_first)
    digits.draw(page, 0)
    assert len(asked) == 1
    asked[0].continue_()
    expect(spoken(page)).to_have_text(re.compile("^0, "))
    assert len(asked) == 2


def test_drops_the_answer_to_what_was_cleared(page):
    held = []
    page.route("**/predict", lambda route: held.insert(0, route))
    digits.draw(page, 0)
    press(page, "Escape")
    with page.expect_response("**/predict"):
        held[0].continue_()
    page.wait_for_timeout(100)
    expect(page.locator("#label")).to_have_text("?")
    expect(page.locator("#confidence")).to_be_empty()
    assert len(held) == 1
    expect_blank(page)


def test_draws_by_keyboard(page):
    press(page, "Tab", *["ArrowUp"] * 6, "Space")
    expect(spoken(page)).to_have_text("Pen down, 50 % from the left, 20 % from the top.")
    press(page, *["ArrowDown"] * 12, "Space", *["ArrowLeft"] * 9)
    expect_label(page, 1)
    shown = ink(page, "#canvas")
    assert shown[:, : len(shown) // 4].any()  # where the pen is
    press(page, "Tab")
    shown = ink(page, "#canvas")
    columns = np.flatnonzero(shown.any(axis=0)) / len(shown)
    assert columns.min() == pytest.approx(1 / 2 - 1 / 28, abs=0.01)  # it was up on its way there
    assert columns.max() == pytest.approx(1 / 2 + 1 / 28, abs=0.01)


def test_undoes_stroke_by_stroke_and_clears(page):
    digits.draw(page, 1)
    expect_label(page, 1)
    before = ink(page, "#canvas")
    digits.draw(page, 0)
    page.get_by_role("button", name="Undo").click()
    expect(spoken(page)).to_have_text("Undone. Strokes left: 1.")
    expect_label(page, 1)
    assert np.array_equal(ink(page, "#canvas"), before)
    digits.draw(page, 0)
    press(page, "Control+z", "Control+z", "Control+z")
    expect(spoken(page)).to_have_text("Undone. Strokes left: 0.")
    expect_blank(page)
    digits.draw(page, 0)
    page.get_by_role("button", name="Clear").click()
    expect(spoken(page)).to_have_text("Cleared.")
    expect_blank(page)


@pytest.mark.parametrize("way", ["Clear", "Escape"])
def test_undo_brings_back_what_was_cleared(page, way):
    digits.draw(page, 1)
    before = ink(page, "#canvas")
    if way == "Clear":
        page.get_by_role("button", name="Clear").click()
    else:
        press(page, "Escape", "Escape")
    expect_blank(page)
    page.get_by_role("button", name="Undo").click()
    expect(spoken(page)).to_have_text("Undone. Strokes left: 1.")
    expect_label(page, 1)
    assert np.array_equal(ink(page, "#canvas"), before)


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_reads_a_picture(page, digit, way):
    image, label = digit
    if way == "choose":
        file = {"name": "digit.png", "mimeType": "image/png", "buffer": png(image)}
        page.get_by_label("Choose a picture").set_input_files(file)
    else:
        carrier = {"drop": "dataTransfer", "paste": "clipboardData"}[way]
        page.evaluate(HAND_OVER, [way, carrier, b64encode(png(image)).decode()])
    expect_label(page, label)
    assert np.array_equal(ink(page, "#seen"), read_picture(io.BytesIO(png(image))).image)
    preview = page.get_by_role("img", name="Your picture")
    assert preview.evaluate("picture => picture.naturalWidth") == 28
    expect(spoken(page)).to_have_text(re.compile(f"^{label}, "))


def test_a_picture_lies_on_the_drawing_until_it_is_undone_or_drawn_upon(page, digit):
    image, label = digit
    file = {"name": "digit.png", "mimeType": "image/png", "buffer": png(image)}
    preview = page.get_by_role("img", name="Your picture")
    digits.draw(page, 1)
    page.get_by_label("Choose a picture").set_input_files(file)
    expect_label(page, label)
    press(page, "Control+z")
    expect(preview).to_be_hidden()
    expect_label(page, 1)
    page.get_by_label("Choose a picture").set_input_files(file)
    digits.draw(page, 0)
    expect(preview).to_be_hidden()
    expect_label(page, 0)
    press(page, "Control+z")
    expect(spoken(page)).to_have_text("Undone. Picture: digit.png.")
    expect(preview).to_be_visible()
    expect_label(page, label)


def test_warns_and_tells_what_the_server_refuses(page, digit):
    file = {"name": "two.png", "mimeType": "image/png", "buffer": png(np.tile(digit[0], 2))}
    page.get_by_label("Choose a picture").set_input_files(file)
    expect(page.locator("#remark")).to_have_text(re.compile("^several digits"))
    expect(spoken(page)).to_have_text(re.compile(r"^\d, \d+\.\d\s% sure\. several digits"))
    letter = {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear digit"}
    page.get_by_label("Choose a picture").set_input_files(letter)
    sentence = re.compile("^that is not a picture: expected one of the formats PNG, JPEG, WEBP")
    expect(page.locator("#remark")).to_have_text(sentence)
    expect(spoken(page)).to_have_text(sentence)
    press(page, "Delete")
    expect(page.locator("#remark")).to_be_empty()


def test_warns_of_what_may_not_be_a_digit_beside_its_best_guess(page, monkeypatch):
    monkeypatch.setitem(digits.DIGITS, "V", V)
    digits.draw(page, "V")
    doubt = "this may not be a digit"
    expect(page.locator("#remark")).to_have_text(doubt)
    expect(spoken(page)).to_have_text(re.compile(rf"^\d, \d+\.\d\s% sure\. {doubt}$"))
    expect(page.locator("#label")).to_have_text(re.compile(r"^\d$"))


def test_tells_that_the_server_is_gone_and_goes_on_when_it_is_back(page):
    page.route("**/predict", lambda route: route.abort())
    digits.draw(page, 0)
    gone = "the server does not answer: is kedro demo still running?"
    expect(page.locator("#remark")).to_have_text(gone)
    page.unroute("**/predict")
    press(page, "Escape")
    digits.draw(page, 0)
    expect_label(page, 0)


def test_says_which_model_reads(page, demo_url):
    model = page.request.get(f"{demo_url}/model").json()
    footer = page.get_by_role("contentinfo")
    for known in (model["candidate"], model["data"], model["version"]):
        expect(footer).to_contain_text(known)
    for known in ("test_accuracy", "test_accuracy_low", "test_accuracy_high"):
        expect(footer).to_contain_text(f"{100 * model[known]:.2f} %")
    expect(footer.get_by_role("link")).to_have_attribute("href", "/docs")


def test_is_dark_where_people_like_it_dark_and_sends_the_same(page):
    sent = []
    page.on("request", lambda request: sent.append(request.post_data_buffer))
    digits.draw(page, 1)
    expect(spoken(page)).to_have_text(re.compile("^1, "))
    light = sent[-1]
    assert brightness_of_ink(page) < 50
    page.emulate_media(color_scheme="dark")
    expect(page.locator("#canvas")).to_have_css("background-color", "rgb(34, 36, 40)")
    page.evaluate("() => new Promise(requestAnimationFrame)")  # before it, the paper is painted
    assert brightness_of_ink(page) > 200
    press(page, "Escape")
    digits.draw(page, 1)
    expect(spoken(page)).to_have_text(re.compile("^1, "))
    assert sent[-1] == light


def brightness_of_ink(page):
    shown = pixels(page, "#canvas")
    return shown[shown[:, :, 3] == 255][:, :3].mean()


def test_everything_is_reached_by_tab_and_has_a_name(page):
    for name in TAB_ORDER:
        press(page, "Tab")
        focused = page.locator(":focus")
        assert name in focused.aria_snapshot()
        shown = page.locator("label") if name == "Choose a picture" else focused
        expect(shown).to_have_css("outline-style", "solid")
    names = re.findall(r"- (?:application|button|link|img|list)\b(.*)", page.aria_snapshot())
    assert all(name.startswith(' "') for name in names)


def test_the_documentation_tries_out_pixels_and_pictures(page, demo_url, tmp_path, digit):
    (tmp_path / "digit.png").write_bytes(png(digit[0]))
    page.goto(f"{demo_url}/docs")
    page.locator(".opblock-post .opblock-summary").click()
    answer = page.locator(".live-responses-table").first
    page.get_by_role("button", name="Execute").click()
    expect(answer).to_contain_text("predictions", timeout=pages.PATIENCE)
    page.get_by_label("Request content type").select_option("image/*")
    page.locator("input[type=file]").set_input_files(tmp_path / "digit.png")
    page.get_by_role("button", name="Execute").click()
    expect(answer).to_contain_text("seen", timeout=pages.PATIENCE)
