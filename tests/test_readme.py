"""The README's Python runs, and prints what the README says it prints."""

import contextlib
import io
import re
from pathlib import Path

README = Path("README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_prints_what_it_says() -> None:
    code, said = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", README, re.DOTALL).groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert _rounded(printed.getvalue()) == _rounded(said)


def test_the_readme_uses_public_names_only() -> None:
    import hub_models

    imported = re.findall(r"from hub_models import (.+)", README)
    names = {name.strip() for line in imported for name in line.split(",")}
    assert names
    assert names <= set(hub_models.__all__)


def test_every_file_the_readme_names_exists() -> None:
    named = re.findall(r"(?:training|model_cards|demo)/[\w./-]+", README)
    assert named
    for name in named:
        assert Path(name.rstrip(".")).exists(), name


def _rounded(text: str) -> str:
    """Round percentages to whole numbers: processors differ in the last bits."""
    return re.sub(r"(\d+\.\d+)%", lambda m: f"{float(m.group(1)):.0f}%", text).strip()


def test_both_languages_of_the_readme_show_the_same_commands() -> None:
    chinese = Path("README.zh-CN.md").read_text(encoding="utf-8")
    blocks = re.compile(r"```.*?```", re.DOTALL)
    assert blocks.findall(README)
    assert blocks.findall(chinese) == blocks.findall(README)


def test_both_languages_of_the_readme_name_the_same_settings_and_numbers() -> None:
    chinese = Path("README.zh-CN.md").read_text(encoding="utf-8")
    for pattern in (r"`[A-Z_]{4,}`", r"\d+\.\d+%", r"HUB_MODELS_DEMO_\w*"):
        assert set(re.findall(pattern, README)) == set(re.findall(pattern, chinese))


def test_the_readme_names_every_setting_of_the_demo() -> None:
    from demo.settings import _READERS

    assert {f"`{name}`" for name in _READERS} <= set(re.findall(r"`[A-Z_]+`", README))
