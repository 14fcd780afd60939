"""A README.md written by hand and our rendered card to one README.md.

The words stay the author's; from our card come metadata that is absent there and the results.
"""

import re
from typing import Any, Final

import yaml
from huggingface_hub import RepoCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from hub_models.errors import CheckpointError

RESULTS_START: Final = "<!-- hub-models writes the results between these two lines. -->"
RESULTS_END: Final = "<!-- end of the results -->"
_INDEX: Final = "model-index"
_OUR_RESULTS: Final = re.compile(r"^## Results$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_THEIR_RESULTS: Final = re.compile(
    f"{re.escape(RESULTS_START)}.*?{re.escape(RESULTS_END)}", re.DOTALL
)


def merge_readme(theirs: str, ours: str) -> str:
    """Put our card's metadata and results into a README that somebody wrote.

    A metadata field that is there stays; lists (tags, datasets) become longer. Measured results
    replace those of the same measure. In the text only the block between RESULTS_START and
    RESULTS_END changes; where there is none yet, it is put at the end. A README of metadata alone,
    as the hub's website makes, gets the text of our card.

    Args:
        theirs: The README on the hub.
        ours: The rendered card.

    Returns:
        The README to push.

    Raises:
        CheckpointError: If the metadata of `theirs` cannot be read.
    """
    try:
        card = RepoCard(theirs)
        rendered = RepoCard(ours)
        for key, value in rendered.data.to_dict().items():  # type: ignore[no-untyped-call]
            card.data[key] = _merged(key, card.data.get(key), value)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"README.md on the hub has metadata that cannot be read ({reason})"
        ) from error
    card.text = _merged_text(card.text, rendered.text) if card.text.strip() else rendered.text
    return str(card)


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
    found = _OUR_RESULTS.search(ours)
    if found is None:  # nothing was measured
        return theirs
    block = f"{RESULTS_START}\n{found[0].strip()}\n{RESULTS_END}"
    if _THEIR_RESULTS.search(theirs):
        return _THEIR_RESULTS.sub(lambda _: block, theirs, count=1)
    return f"{theirs.rstrip()}\n\n{block}\n"
