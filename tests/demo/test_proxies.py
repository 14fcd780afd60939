"""The page in a real browser, below a path of a real nginx."""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.text import Text
from tests.demo.browser import MARKS, Demo, Visit, free_port, sync_api
from tests.demo.served import Served
from tests.nginx import MISSING, NGINX, SNIPPET, nginx
from tests.processes import HANG_S

OPENSSL = shutil.which("openssl")
LANGUAGES = {"en": "", "zh-CN": "zh/"}
KEPT = "proxy_set_header Host $http_host;"
WAYS = {
    "taken away, nothing set": ("tool", "7860/", KEPT, {}),
    "kept, ROOT_PATH": ("tool", "7860", KEPT, {"ROOT_PATH": "/tool"}),
    "kept, a header of the proxy": (
        "tool",
        "7860",
        f"{KEPT} proxy_set_header X-Forwarded-Prefix /tool;",
        {"PROXIES": "127.0.0.1"},
    ),
    "as Gradio's guide has it": (
        "tool",
        "7860/",
        "proxy_set_header Host $host; proxy_set_header X-Forwarded-Host $host;",
        {"PROXIES": "127.0.0.1"},
    ),
    "taken away, no slash at the end": (
        "tool",
        "7860/",
        f"{KEPT} rewrite ^/tool$ / break;",
        {"ROOT_PATH": "/tool"},
    ),
    "Jupyter's proxy": (
        "proxy/7860",
        "7860/",
        f"{KEPT} proxy_set_header X-Forwarded-Prefix /proxy/7860;",
        {},
    ),
    "ROOT_PATH has Gradio's name": ("tool", "7860", KEPT, {"GRADIO_ROOT_PATH": "/tool/"}),
}

pytestmark = [*MARKS, pytest.mark.skipif(NGINX is None, reason=MISSING)]


@pytest.fixture(scope="module")
def served(cards, tmp_path_factory):
    running = Served(cards, tmp_path_factory.mktemp("uploads"))
    yield running
    running.stop()


class Below(Visit):
    """A visit that notes whatever is asked for outside of a path."""

    def __init__(self, context, address, language):
        self.outside, self._address = set(), address
        super().__init__(context, address, Text(language)("no_picture"))

    def _note(self, request):
        if not request.url.startswith(("data:", "blob:", self._address)):
            self.outside.add(request.url)

    def widths(self, selector):
        return self.page.locator(selector).first.evaluate(
            "image => image.decode().then(() => image.naturalWidth)"
        )


def look_around(context, address, language, cat):
    """Upload, take an example, and see that all pictures come and nothing is asked elsewhere."""
    visit = Below(context, address, language)
    page = visit.page
    path = urlsplit(address).path.rstrip("/") + "/" + LANGUAGES[language]
    page.wait_for_url(lambda url: urlsplit(url).path == path)
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--primary-700')")
    visit.upload(cat)
    visit.expect("#right-card", "62.2%")
    assert visit.widths("#picture img") == visit.widths("#right-card .seen") == 451
    page.locator("#examples button").nth(1).click()
    name = page.locator("#examples img").nth(1).get_attribute("src").rpartition("/")[2]
    sync_api.expect(page.locator("#right-card .seen")).to_have_attribute("src", ends_with(name))
    sync_api.expect(page.locator("#picture img").first).to_have_attribute("src", ends_with(name))
    assert visit.widths("#picture img") == visit.widths("#examples button:nth-child(2) img")
    return visit


def ends_with(name):
    return re.compile(re.escape(name) + "$")


def finish(visit):
    assert visit.outside == set()
    assert visit.complaints == []


def test_the_page_of_app_py_below_a_path_as_deploy_nginx_has_it(cards, cat, chromium, tmp_path):
    upstream = free_port()
    snippet = SNIPPET.read_text(encoding="utf-8").replace(":7860/", f":{upstream}/")
    with nginx(tmp_path / "nginx", snippet) as port:
        address = f"http://127.0.0.1:{port}/tool/"
        settings = {"ROOT_PATH": address.rstrip("/"), "PROXIES": "127.0.0.1"}
        demo = Demo(cards, tmp_path, port=upstream, **settings).wait()
        for language, scheme in (("en", "light"), ("zh-CN", "dark")):
            say = Text(language)
            with chromium.new_context(locale=language, color_scheme=scheme) as context:
                visit = look_around(context, address, language, cat)
                visit.open(say("tab_batch"))
                visit.page.set_input_files("#files input[type=file]", [str(cat)])
                visit.expect("#files", cat.stem)
                visit.page.locator("#batch-start").click()
                visit.expect("#batch-summary", say("csv"))
                with visit.page.expect_download() as waiting:
                    visit.page.locator("#csv").click()
                assert "chelsea.jpg" in Path(waiting.value.path()).read_text(encoding="utf-8-sig")
                visit.open(say("tab_tradeoff"))
                visit.expect("#tradeoff table", "99.00%")
                visit.page.locator(".languages a").click()
                other = "en" if language == "zh-CN" else "zh-CN"
                visit.expect("#verdict", Text(other)("no_picture"))
                where = f"{address}{LANGUAGES[other]}?lang={other}"
                assert visit.page.url == where
                finish(visit)
        demo.stop()
    assert "refused" not in demo.log.read_text()
    assert "Traceback" not in demo.log.read_text()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", WAYS)
def test_the_page_works_below_a_path(served, chromium, cat, tmp_path, way, language):
    path, upstream, lines, settings = WAYS[way]
    served.use(**settings)
    passed = f"proxy_pass http://127.0.0.1:{upstream};".replace("7860", str(served.port), 1)
    is_slashless = "no slash" in way
    location = f"location /{path}{'' if is_slashless else '/'} {{ {passed} {lines} }}"
    with nginx(tmp_path, location) as port, chromium.new_context(locale=language) as context:
        address = f"http://127.0.0.1:{port}/{path}"
        if is_slashless:  # the page that then goes elsewhere has asked for its files by then
            look_around(context, address, language, cat)
        else:
            finish(look_around(context, f"{address}/", language, cat))


@pytest.mark.skipif(OPENSSL is None, reason="no openssl here, which makes a certificate")
def test_behind_https_no_setting_is_needed(served, chromium, cat, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    wish = [OPENSSL, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        [*wish, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    served.use()
    lines = f"""ssl_certificate {certificate}; ssl_certificate_key {key};
        location / {{ proxy_pass http://127.0.0.1:{served.port}; {KEPT} }}"""
    with (
        nginx(tmp_path / "nginx", lines, tls=" ssl") as port,
        chromium.new_context(locale="en", ignore_https_errors=True) as context,
    ):
        finish(look_around(context, f"https://127.0.0.1:{port}/", "en", cat))


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_listed_site_may_show_the_page_in_a_frame(served, chromium, tmp_path, is_listed):
    lines = f"""location /demo/ {{ proxy_pass http://127.0.0.1:{served.port}/; {KEPT} }}
        location = /site {{
            default_type text/html;
            return 200 '<iframe src="//127.0.0.1:$server_port/demo/" height=900></iframe>';
        }}"""
    with nginx(tmp_path, lines) as port, chromium.new_context(locale="en") as context:
        served.use(**{"FRAMES": f"http://localhost:{port}"} if is_listed else {})
        page, site = context.new_page(), f"http://localhost:{port}/site"
        page.set_default_timeout(HANG_S * 1000)
        if is_listed:
            page.goto(site)
            verdict = page.frame_locator("iframe").locator("#verdict")
            sync_api.expect(verdict).to_contain_text(Text("en")("no_picture"))
        else:
            with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
                page.goto(site)
