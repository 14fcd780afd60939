"""The real app.py in a process of its own, in a real browser."""

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from demo.text import Text
from tests.demo.browser import MARKS, ROOT, Demo, Visit, environment, sync_api
from tests.hub_repository import WRITER
from tests.hub_server import HubServer
from tests.processes import HANG_S

Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

TABS = {
    "tab_compare": "#right-card .seen",
    "tab_batch": "#batch-start",
    "tab_tradeoff": "#measure",
    "tab_imagenet": "#imagenet-hint",
    "tab_models": "#models-table table",
    "tab_about": "#about",
}
AXE = """() => axe.run({resultTypes: ['violations']}).then(found => found.violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .flatMap(v => v.nodes.map(n => [v.id, ...n.target, n.html.slice(0, 150)].join(' '))))"""
DRAWN = """colour => new Promise(done => {
    const canvas = document.createElement('canvas'), brush = canvas.getContext('2d');
    canvas.width = canvas.height = 64;
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 64, 64);
    canvas.toBlob(done, 'image/png');
})"""

pytestmark = MARKS


@pytest.fixture(autouse=True, scope="module")
def exports(tmp_path_factory):
    """One cache of exports for every demo of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_MODELS_CACHE", str(tmp_path_factory.mktemp("exports")))
        yield


@pytest.fixture(scope="module")
def silent_hub():
    """A hub that takes connections and never answers; closed, it refuses them."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server


@pytest.fixture(scope="module")
def demo(cards, tmp_path_factory, silent_hub):
    hub = f"http://127.0.0.1:{silent_hub.getsockname()[1]}"
    running = Demo(cards, tmp_path_factory.mktemp("demo"), hub).wait()
    yield running
    running.stop()


@pytest.fixture
def visit(demo, chromium):
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        visitor = Visit(context, demo.url)
        yield visitor
        assert visitor.complaints == []
        assert visitor.hosts == {"127.0.0.1"}


def test_a_picture_gets_two_answers_a_time_and_a_verdict(visit, cat):
    visit.choose("left", "mobilenet-tiny")
    visit.expect("#left-card h2", "mobilenet-tiny")
    visit.upload(cat)
    visit.expect("#verdict", "The models disagree: mobilenet-tiny says cat, resnet-tiny says dog.")
    visit.expect("#verdict", "resnet-tiny is unsure.")
    left, right = visit.text("#left-card"), visit.text("#right-card")
    assert re.search(r"cat\s+95\.3%\s+dog\s+4\.7%", left)
    assert re.search(r"dog\s+unsure\s+dog\s+62\.2%\s+cat\s+37\.8%", right)
    for card in (left, right):
        assert re.search(r"decode\s+\d+\.\d ms\s+preprocess\s+\d+\.\d ms\s+forward", card)
        runs_on = r"this machine, CPU, (PyTorch|ONNX Runtime), threads: \d+"
        assert re.search(runs_on + r" · .* median of the latest \d passes", card)
        assert "98.53% of 2,326 pictures (test)" in card
        assert "random numbers, for a test" in card
    assert visit.text("#verdict [role=status]") == visit.text("#verdict")
    assert "below 70%" in visit.text("#notes")


def test_an_example_is_classified_by_one_click(visit):
    visit.page.locator("#examples button").nth(1).click()
    visit.expect("#right-card", "62.2%")


def test_a_picture_taken_away_takes_its_answers_with_it(visit, cat):
    visit.upload(cat)
    visit.expect("#right-card", "62.2%")
    visit.page.locator("#picture button[aria-label='Remove Image']").click()
    visit.expect("#verdict", "Waiting for a picture")
    sync_api.expect(visit.page.locator("#right-card")).not_to_contain_text("62.2%")


def test_a_model_that_cannot_be_fetched_is_a_sentence_beside_the_other_answer(
    visit, cat, silent_hub
):
    visit.upload(cat)
    visit.choose("left", "owner/unreachable")
    visit.expect("#left-card", "Fetching owner/unreachable from the hub.")
    visit.expect("#right-card", "62.2%")
    visit.choose("right", "mobilenet-tiny")  # the page goes on working meanwhile
    visit.expect("#right-card", "95.3%")
    silent_hub.close()
    visit.expect("#left-card", "This model cannot be used. owner/unreachable: the hub")
    visit.expect("#verdict", "Only one model answered: mobilenet-tiny says cat.")
    assert "Traceback" not in visit.page.content()
    visit.choose("left", "resnet-tiny")
    visit.expect("#left-card", "62.2%")


def test_a_folder_can_be_typed_on_ones_own_machine(visit, cards):
    visit.choose("left", str(cards / "mobilenet-tiny"))
    visit.expect("#left-card", "mobilenetv2_025, 32 px")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.jpg", b"just some text", "notes.jpg: not a picture of a known kind"),
        ("empty.jpg", b"", "empty.jpg: the file is empty"),
    ],
)
def test_a_bad_picture_is_a_sentence_and_the_next_one_works(
    visit, cat, tmp_path, name, content, reason
):
    (tmp_path / name).write_bytes(content)
    visit.upload(tmp_path / name)
    visit.expect("#verdict", f"This picture cannot be used. {reason}")
    assert "Traceback" not in visit.page.content()
    visit.page.locator("#picture button[aria-label='Remove Image']").click()
    visit.upload(cat)
    visit.expect("#right-card", "62.2%")
    visit.complaints = [c for c in visit.complaints if "ERR_" not in c]  # the broken preview


def test_class_names_of_a_stranger_are_text(visit, cat):
    visit.choose("left", "markup")
    visit.upload(cat)
    visit.expect("#left-card .top", "<img src=x onerror=alert(1)>")
    visit.expect("#left-card .classes", "${7*7}{{value}}")
    visit.expect("#left-card .more", "and 2 more")


def test_the_map_of_a_class_is_chosen_and_blended_by_the_keyboard(visit, cat):
    visit.upload(cat)
    visit.expect("#right-card", "62.2%")
    seen = visit.page.locator("#right-card .seen")
    assert seen.evaluate("e => e.decode().then(() => e.naturalWidth)") == 451
    assert visit.clarity("#right-card .map-0") == 0.55
    assert visit.clarity("#right-card .map-1") == 0
    visit.page.locator("#right-card .pick-0").focus()
    visit.page.keyboard.press("ArrowDown")
    assert visit.clarity("#right-card .map-0") == 0
    assert visit.clarity("#right-card .map-1") == 0.55
    visit.page.locator("#right-card input[type=range]").focus()
    visit.page.keyboard.press("End")
    assert visit.clarity("#right-card .map-1") == 1
    visit.page.keyboard.press("Home")
    assert visit.clarity("#right-card .map-1") == 0
    assert visit.clarity("#left-card .map-0") == 0.55  # a card's controls are its own


def test_pictures_are_pasted_dragged_over_each_other_and_taken_by_the_camera(visit):
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write", "camera"])
    page.evaluate(
        f"""async () => navigator.clipboard.write(
            [new ClipboardItem({{'image/png': await ({DRAWN})('red')}})])"""
    )
    page.locator("#picture button[aria-label='Paste from clipboard']").click()
    visit.expect("#right-card", "62.2%")
    pasted = page.locator("#right-card .seen").get_attribute("src")
    dragged = page.evaluate_handle(
        f"""async () => {{
            const files = new DataTransfer();
            const drawn = await ({DRAWN})('blue');
            files.items.add(new File([drawn], 'dragged.png', {{type: 'image/png'}}));
            return files; }}"""
    )
    for event in ("dragenter", "dragover", "drop"):
        page.locator("#picture img").dispatch_event(event, {"dataTransfer": dragged})
    seen = page.locator("#right-card .seen")
    sync_api.expect(seen).to_have_attribute("src", re.compile(r"dragged\.png"))
    assert "dragged.png" not in pasted
    before = seen.get_attribute("src")
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#picture button[aria-label='Capture from camera']").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#picture video')?.videoWidth > 0")
    page.locator("#picture button[aria-label='capture photo']").click()
    sync_api.expect(seen).not_to_have_attribute("src", before)
    visit.expect("#right-card .classes", "%")


def test_the_keyboard_is_enough(visit):
    page = visit.page
    page.keyboard.press("Tab")
    for _ in range(40):
        if page.evaluate("Boolean(document.activeElement.closest('#examples'))"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    visit.expect("#right-card", "62.2%")
    page.get_by_role("tab", name="Many pictures", exact=True).focus()
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#batch-start")).to_be_visible()


def test_a_model_is_recommended_and_both_are_timed_on_this_machine(visit):
    visit.open("Trade-off")
    visit.expect("#tradeoff table", "99.00%")
    visit.expect("#choice", "accurate-one, before faster-one")
    visit.page.locator("#priority input").fill("time of a picture")
    visit.page.locator("#priority input").press("Enter")
    visit.expect("#choice", "faster-one, before accurate-one")
    visit.page.locator("#measure").click()
    visit.expect("#measured", "taking turns")
    assert re.search(r"resnet-tiny\s+\d+\.\d ms\s+\d+\.\d ms", visit.text("#measured"))


def test_a_batch_is_a_table_that_can_be_filtered_and_taken_along(visit, cat, tmp_path):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as file:
        file.write(cat, "=cat.jpg")
        file.writestr("notes.txt", "just some text")
    visit.open("Many pictures")
    visit.page.set_input_files(
        "#files input[type=file]", [str(cat), str(tmp_path / "pictures.zip")]
    )
    visit.expect("#files", re.compile(r"pictures\s*\.zip"))
    visit.page.locator("#batch-model-0 input").fill("mobilenet-tiny")
    visit.page.locator("#batch-model-0 input").press("Enter")
    visit.page.locator("#batch-start").click()
    visit.expect("#batch-summary", "3 of 3 pictures · models disagree: 2 · cannot be read: 1")
    sync_api.expect(visit.page.locator("#batch-table tbody")).to_have_count(3)
    visit.expect("#batch-table .problem", "not a picture of a known kind")
    visit.page.locator("#only-odd input").check()
    sync_api.expect(visit.page.locator("#batch-table .problem")).to_be_hidden()
    assert visit.page.locator("#batch-table .odd").first.is_visible()
    with visit.page.expect_download() as waiting:
        visit.page.locator("#csv").click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 6
    assert any(line.startswith("'=cat.jpg,mobilenet-tiny,,cat,0.9526,") for line in lines)


@pytest.mark.parametrize(
    ("locale", "query", "words", "scheme"),
    [
        ("zh-CN", "", "zh-CN", "light"),
        ("en-GB", "?lang=zh", "zh-CN", "dark"),
        ("zh-CN", "?lang=en", "en", "dark"),
        ("fr-FR", "", "en", "light"),
    ],
)
def test_every_tab_speaks_the_visitors_language_and_can_be_used_by_everybody(
    demo, chromium, cat, locale, query, words, scheme
):
    say = Text(words)
    with chromium.new_context(locale=locale, color_scheme=scheme) as context:
        visitor = Visit(context, demo.url + query, say("no_picture"))
        page = visitor.page
        visitor.upload(cat)
        visitor.expect("#right-card", say("forward"))
        assert page.evaluate("document.documentElement.lang") == words
        assert page.title() == say("title")
        page.evaluate(Axe().axe_script)
        for tab, part in TABS.items():
            visitor.open(say(tab))
            sync_api.expect(page.locator(part)).to_be_visible()
            found = page.evaluate(AXE)
            assert found == [], tab
        visitor.expect("#models-table", say("in_memory"))
        visitor.expect("#versions", "gradio")
        assert visitor.complaints == []


def test_a_visitor_picks_two_models_of_a_hub_that_then_goes_away(chromium, tmp_path):
    hub, may_end = HubServer(), threading.Event()
    names = []
    for folder in sorted((ROOT / "model_cards").glob("*-*/")):  # what is embedded, as published
        names.append(f"owner/{folder.name}")
        push = [sys.executable, "-m", "hub_models.cli", "push", str(folder), names[-1]]
        hub_of_ours = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": WRITER}
        subprocess.run(push, check=True, env=os.environ | hub_of_ours, cwd=ROOT)
    mobilenet, resnet = names
    weights = (ROOT / "model_cards" / Path(resnet).name / "model.safetensors").read_bytes()
    digest = hashlib.sha256(weights).hexdigest()
    hub.fault(f"GET /large/{digest}", "pause", callback=lambda: may_end.wait(HANG_S))
    (tmp_path / "cards").mkdir()
    offered = {"MODELS": ",".join(names), "HF_HOME": str(tmp_path / "empty")}
    offered["HF_HUB_DOWNLOAD_TIMEOUT"] = str(HANG_S)  # longer than the hub's pause
    running = Demo(tmp_path / "cards", tmp_path, hub.endpoint, **offered).wait()
    with chromium.new_context() as context:
        visitor = Visit(context, running.url, waits="")
        visitor.choose("left", resnet)
        visitor.choose("right", mobilenet)
        visitor.page.locator("#examples button").first.click()
        visitor.expect("#right-card .facts", "Revision")
        visitor.expect("#verdict", f"{mobilenet} says cat. The other model is on its way.")
        sync_api.expect(visitor.page.locator("#left-card")).to_contain_text(
            re.compile(r"Fetching \S+ from the hub: [1-9]\d\.\d MB in \d+ s")
        )
        may_end.set()
        visitor.expect("#left-card .facts", "Revision")
        sync_api.expect(visitor.page.locator("#verdict")).not_to_contain_text("on its way")
        hub.stop()
        visitor.page.locator("#examples button").nth(1).click()
        for side in ("left", "right"):
            sync_api.expect(visitor.page.locator(f"#{side}-card .seen")).to_have_attribute(
                "src", re.compile("cat-drawing")
            )
    running.stop()


def test_a_phone_needs_no_sideways_scroll(demo, chromium, cat):
    size = {"width": 390, "height": 844}
    with chromium.new_context(viewport=size, has_touch=True) as context:
        visitor = Visit(context, demo.url)
        visitor.choose("left", "markup")
        visitor.upload(cat)
        visitor.expect("#left-card", "and 2 more")
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
        left, right = (visitor.page.locator(f"#{s}-card").bounding_box() for s in ("left", "right"))
        assert right["y"] > left["y"] + left["height"]


def test_a_start_asks_no_hub_and_leaves_nothing(cards, cat, chromium, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    secret = tmp_path / "my-secret.jpg"
    secret.write_bytes(cat.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as hub:
        demo = Demo(cards, tmp_path, hub=f"http://127.0.0.1:{hub.getsockname()[1]}").wait()
        with chromium.new_context() as context:
            visitor = Visit(context, demo.url)
            visitor.upload(secret)
            visitor.expect("#right-card", "62.2%")
        uploads = list(temporary.glob("hub-models-demo-*/**/my-secret.jpg"))
        assert [path.read_bytes() for path in uploads] == [cat.read_bytes()]
        demo.stop()
        hub.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody knocked
            hub.accept()
    assert list(temporary.glob("hub-models-demo-*")) == []
    log = demo.log.read_text()
    assert "closing: finishing what runs" in log
    assert "my-secret" not in log


@pytest.mark.parametrize("problem", ["setting", "port"])
def test_a_start_that_cannot_work_is_one_sentence(cards, tmp_path, problem):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = "many" if problem == "setting" else taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(ROOT / "app.py")],
            env=environment(port, cards),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANG_S,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("app.py: ")
    assert str(port) in done.stderr
