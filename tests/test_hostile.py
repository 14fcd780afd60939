"""Whatever a stranger's files hold, reading them ends in a model or in one sentence, soon.

Hypothesis draws the same examples in every run.
"""

import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_models import CheckpointError, ConfigError, HubModelsError, ImageClassifier
from hub_models.config_json import parse_config, render_config
from hub_models.tensor_file import read_tensors
from hub_models.weights import disk_names, match
from tests.processes import run_python

QUICK = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],
)

HUGE = st.sampled_from([10**400, -(10**400), 2**63, 2**64, -1, 0, 1e308, 5e-324, -0.0])
AWKWARD = st.sampled_from(["", " ", "\0", "\x1b[2J", "\u202e", "../x", "/etc/passwd", "a" * 5000])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | HUGE | AWKWARD | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | AWKWARD, inner)
    ),
    max_leaves=12,
)


def _check_sentence(error: HubModelsError) -> None:
    message = str(error)
    assert len(message) < 500
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", message)


def _parses_or_says_why(text: str | bytes) -> None:
    try:
        config = parse_config(text)
    except ConfigError as error:
        _check_sentence(error)
    else:
        assert parse_config(render_config(config)) == config


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead there."""
    children = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type, call-overload]
    places = [path] if path else []
    for key, child in children:
        if isinstance(child, dict | list):
            places += _places(child, (*path, key))
        else:
            places.append((*path, key))
    return places


@pytest.fixture(scope="module")
def good(tiny_folder: Path) -> str:
    return (tiny_folder / "config.json").read_text()


@st.composite
def changes(draw: st.DrawFn) -> tuple[int, str, Any]:
    """Where (counted round the places there are), what to do there, and with which value."""
    return draw(st.integers(0, 999)), draw(st.sampled_from(["set", "drop", "add"])), draw(VALUES)


def _changed(text: str, change: tuple[int, str, Any]) -> str:
    content = json.loads(text)
    number, action, value = change
    places = _places(content)
    *parents, last = places[number % len(places)]
    holder = content
    for key in parents:
        holder = holder[key]
    if action == "drop":
        del holder[last]
    elif action == "set":
        holder[last] = value
    elif isinstance(holder, list):
        holder.append(value)
    else:
        holder[str(value)[:300]] = value
    return json.dumps(content)


# --- config.json


@QUICK
@given(VALUES)
def test_json_of_any_shape_is_a_config_error(value: Any) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(json.dumps(value))
    _check_sentence(raised.value)


@QUICK
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_text_of_any_kind_is_a_config_error(text: str | bytes) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(text)
    _check_sentence(raised.value)


@QUICK
@given(changes(), changes())
def test_a_good_config_with_wrong_values_parses_or_says_why(
    good: str, first: tuple[int, str, Any], second: tuple[int, str, Any]
) -> None:
    _parses_or_says_why(_changed(good, first))
    _parses_or_says_why(_changed(_changed(good, first), second))


@QUICK
@given(st.data())
def test_a_good_config_with_damaged_text_parses_or_says_why(good: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(good)))
    end = start + data.draw(st.integers(0, 20))
    junk = data.draw(st.text('{}[]":,\\u0d8eE+-. 1NaInfity', max_size=6) | st.text(max_size=3))
    _parses_or_says_why(good[:start] + junk + good[end:])


@settings(QUICK, max_examples=40)
@given(changes())
def test_a_folder_with_a_wrong_config_loads_or_says_why(
    good: str,
    tiny_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    change: tuple[int, str, Any],
) -> None:
    folder = tmp_path_factory.getbasetemp() / "wrong-config"
    folder.mkdir(exist_ok=True)
    if not (folder / "model.safetensors").exists():
        shutil.copy(tiny_folder / "model.safetensors", folder)
    (folder / "config.json").write_text(_changed(good, change))
    try:
        model = ImageClassifier.from_pretrained(folder)
    except HubModelsError as error:
        _check_sentence(error)
    else:
        assert model.config.label_names


# Each is as long as is read at all, and dearer than anything honest of that length.
WORST = """
from hub_models.strict_json import MAX_CHARS as most
def fill(unit, first="[", last="]"):
    return first + ",".join([unit] * ((most - 2) // (len(unit) + 1))) + last
def keys(pattern, count):
    return "{" + ",".join(pattern % number for number in range(count)) + "}"
texts = {
    "empty lists": lambda: fill("[]"),
    "empty objects": lambda: fill("{}"),
    "small objects": lambda: fill('{"a":[]}'),
    "numbers": lambda: fill("1e1"),
    "long numbers": lambda: fill("1" * 4000),
    "strings": lambda: fill('"ab"'),
    "escapes": lambda: '["' + "\\\\u1234" * (most // 6 - 1) + '"]',
    "one string": lambda: '["' + "a" * (most - 4) + '"]',
    "keys": lambda: keys('"%x":0', (most - 2) // 10),
    "keys of which one stands twice": lambda: keys('"%x":0', most // 10 - 2)[:-1] + ',"0":1}',
    "brackets": lambda: "[" * most,
    "deep objects": lambda: '{"a":' * (most // 5),
    "wide and deep": lambda: fill("[" * 900 + "]" * 900),
    "over the limit": lambda: " " * (most * 20),
    "a hundred thousand labels, one twice": lambda: good % (100_000, labels(99_999) + ',"L1"'),
    "a hundred thousand labels and one": lambda: good % (100_001, labels(100_001)),
}
"""
MEASURE = """
import json, re, sys
from hub_models.config_json import parse_config
from hub_models import ConfigError
good = re.sub(r'"num_classes": 3,', '"num_classes": %d,', sys.argv[1], count=1)
good = re.sub(r'"label_names": .*?]', lambda _: '"label_names": [%s]', good, count=1, flags=re.S)
def labels(count):
    return ",".join(f'"L{number}"' for number in range(count))
def memory(key):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status[key].split()[0]) / 1024
rows = {}
for name, make in texts.items():
    text = make()
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
    before = memory("VmRSS")
    try:
        parse_config(text)
        said = None
    except ConfigError as error:
        said = str(error)
    rows[name] = [said, memory("VmHWM") - before]
print(json.dumps(rows))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measured as Linux can")
def test_the_worst_config_is_refused_within_200_megabytes(good: str) -> None:
    """Work that grows with the square of the text would not end before the guard."""
    done = run_python(WORST + MEASURE, good)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 16
    for name, (said, megabytes) in rows.items():
        assert said, name
        assert len(said) < 500
        assert megabytes < 200, name


# --- model.safetensors


def _read_and_fit(content: bytes, path: Path, model: ImageClassifier) -> None:
    path.unlink(missing_ok=True)  # never changed in place: an earlier example may be mapped
    path.write_bytes(content)
    state = model.state_dict()
    try:
        match(read_tensors(path), state, disk_names(model.config.architecture, list(state)))
    except CheckpointError as error:
        _check_sentence(error)


@cache  # a fixture's value would be printed whole for every example
def _loaded(folder: Path) -> tuple[ImageClassifier, bytes]:
    content = (folder / "model.safetensors").read_bytes()
    return ImageClassifier.from_pretrained(folder), content


def _with_header(header: bytes, content: bytes) -> bytes:
    end = 8 + int.from_bytes(content[:8], "little")
    return len(header).to_bytes(8, "little") + header + content[end:]


@QUICK
@given(st.binary(min_size=1, max_size=9), st.integers(0, 2**30))
def test_weights_with_damaged_headers_load_or_say_why(
    tiny_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    junk: bytes,
    where: int,
) -> None:
    model, content = _loaded(tiny_folder)
    start = where % (8 + int.from_bytes(content[:8], "little"))
    damaged = content[:start] + junk + content[start + len(junk) :]
    _read_and_fit(damaged, tmp_path_factory.getbasetemp() / "damaged.safetensors", model)


@QUICK
@given(
    st.integers(0, 2**30),
    st.fixed_dictionaries(
        {},
        optional={
            "dtype": st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F4", "X"])
            | VALUES,
            "shape": st.lists(
                st.integers(-1, 4) | st.sampled_from([2**31, 2**32, 2**62, 2**64 - 1]), max_size=5
            )
            | VALUES,
            "data_offsets": st.lists(st.integers(-1, 2**21) | st.just(2**63), max_size=3) | VALUES,
        },
    ),
)
def test_weights_with_false_headers_load_or_say_why(
    tiny_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    which: int,
    lies: dict[str, Any],
) -> None:
    model, content = _loaded(tiny_folder)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    names = [name for name in header if name != "__metadata__"]
    header[names[which % len(names)]] |= lies
    false = _with_header(json.dumps(header).encode(), content)
    _read_and_fit(false, tmp_path_factory.getbasetemp() / "false.safetensors", model)
