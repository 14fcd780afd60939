"""A README.md written by hand and our rendered card to one README.md.

The words stay the author's; from our card come metadata that is absent there and the results.
"""

import re
from contextlib import suppress
from typing import Any, Final

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from hub_models.card import RESULTS_END, RESULTS_START, untouched_parts, without_marker
from hub_models.errors import CheckpointError

_INDEX: Final = "model-index"
_RESULTS: Final = re.compile(f"{re.escape(RESULTS_START)}.*?{re.escape(RESULTS_END)}", re.DOTALL)
_LAST_COMMENTS: Final = re.compile(r"(?:^[ \t]*(?:#.*)?\n)*\Z", re.MULTILINE)


def merge_readme(theirs: str, ours: str) -> str:
    """Put our card's metadata and results into a README that somebody wrote.

    A metadata field that is there stays, letter by letter; lists (tags, datasets) become longer.
    Measured results replace those of the same measure. In the text only the block between
    RESULTS_START and RESULTS_END changes; where there is none yet, it is put at the end. A README
    of metadata alone, as the hub's website makes, gets the text of our card, and so does a card of
    ours of which only the metadata were changed.

    Args:
        theirs: The README on the hub, with any line ends.
        ours: The rendered card.

    Returns:
        The README to push, with the line ends that `theirs` has most of.

    Raises:
        CheckpointError: If the metadata of `theirs` cannot be read.
    """
    plain = re.sub(r"\r\n?", "\n", theirs.removeprefix("\ufeff"))
    (front, text), (our_front, our_text) = _split(plain), _split(ours)
    try:
        front = _merged_front(front, our_front)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"README.md has metadata that cannot be read ({reason})") from error
    is_ours = not text.strip() or untouched_parts(plain)[1]
    text = our_text if is_ours else _merged_text(without_marker(text), our_text)
    return f"---\n{front}---\n{text}".replace("\n", _line_end(theirs))


def is_same(one: str, other: str) -> bool:
    """Tell whether two READMEs are the same but for line ends and space at the end.

    Args:
        one: A README.
        other: Another.

    Returns:
        True if no word differs.
    """
    first, second = (text.removeprefix("\ufeff").rstrip().splitlines() for text in (one, other))
    return first == second


def _line_end(text: str) -> str:
    pairs = text.count("\r\n")
    counts = {"\n": text.count("\n") - pairs, "\r\n": pairs, "\r": text.count("\r") - pairs}
    return max(counts, key=lambda kind: counts[kind])


def _split(card: str) -> tuple[str, str]:
    """Give the metadata, as the hub finds them, and the text."""
    found = REGEX_YAML_BLOCK.search(card)
    return (f"{found[2]}\n", card[found.end() :]) if found else ("", card)


def _fields(front: str) -> dict[str, Any]:
    fields = yaml.safe_load(front)
    if not isinstance(fields, dict | None):
        raise ValueError("a field and its value in each line are needed")
    return fields or {}


def _merged_front(front: str, ours: str) -> str:
    fields = _fields(front)
    merged = {key: _merged(key, fields.get(key), value) for key, value in _fields(ours).items()}
    whole = fields | merged
    with suppress(yaml.YAMLError, ValueError):
        for key, value in merged.items():
            if key not in fields or fields[key] != value:
                front = _with_field(front, key, value)
        if _fields(front) == whole:
            return front
    return _dumped(whole)  # fields in an unusual way: all in one line, aliases


def _dumped(fields: dict[str, Any]) -> str:
    text: str = yaml.dump(fields, sort_keys=False, allow_unicode=True)
    return text


def _with_field(front: str, key: str, value: Any) -> str:
    """Write one field, and leave all others and the comments as they are."""
    root = yaml.compose(front, yaml.SafeLoader)
    starts = {name.value: name.start_mark.index for name, _ in root.value} if root else {}
    start = starts.get(key, len(front))
    end = min((index for index in starts.values() if index > start), default=len(front))
    comments = _LAST_COMMENTS.search(front[start:end])
    after = (comments[0] if comments else "") + front[end:]
    return f"{front[:start]}{_dumped({key: value})}{after}"


def _merged(key: str, theirs: Any, ours: Any) -> Any:
    if theirs in (None, "", []):
        return ours
    if key == _INDEX:
        return _merged_index(theirs, ours)
    if isinstance(ours, list):
        present = theirs if isinstance(theirs, list) else [theirs]
        return present + [item for item in ours if item not in present]
    return theirs


def _merged_index(theirs: list[Any], ours: list[Any]) -> list[Any]:
    """Merge our results into the first model of theirs; other models keep theirs."""
    name, old = model_index_to_eval_results(theirs[:1])
    _, new = model_index_to_eval_results(ours)
    kept = [one for one in old if not any(other.is_equal_except_value(one) for other in new)]
    merged: list[Any] = eval_results_to_model_index(name, kept + new)
    return merged + theirs[1:]


def _merged_text(theirs: str, ours: str) -> str:
    found = _RESULTS.search(ours)
    if found is None:  # nothing was measured
        return theirs
    if _RESULTS.search(theirs):
        return _RESULTS.sub(lambda _: found[0], theirs, count=1)
    return f"{theirs.rstrip()}\n\n{found[0]}\n"
