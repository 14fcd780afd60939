import pytest
import yaml
from huggingface_hub import ModelCard

from hub_models import CheckpointError, ModelConfig
from hub_models.card import RESULTS_END, RESULTS_START, render_card
from hub_models.readme import merge_readme


def card(accuracy: float | None = 0.9) -> str:
    config = ModelConfig(
        architecture="resnet18",
        label_names=("cat", "dog"),
        num_features=512,
        first_conv="conv1",
        classifier="fc",
        origin={"dataset": "someone/pets", "license": "apache-2.0"},
        results={} if accuracy is None else {"test": {"accuracy": accuracy, "images": 10}},
    )
    return render_card(config, "pets")


THEIRS = """---
license: mit
tags:
- pets
thumbnail: cat.png
---

# My pets

Words I wrote — with a dash.
"""


def test_the_authors_words_and_fields_stay() -> None:
    merged = ModelCard(merge_readme(THEIRS, card()))
    assert merged.data.license == "mit"
    assert merged.data.thumbnail == "cat.png"
    assert "# My pets\n\nWords I wrote — with a dash." in merged.text
    assert "How to use it" not in merged.text


def test_absent_fields_come_from_our_card_and_lists_become_longer() -> None:
    merged = ModelCard(merge_readme(THEIRS, card())).data
    assert merged.tags == ["pets", "hub_models", "image-classification", "resnet18"]
    assert merged.pipeline_tag == "image-classification"
    assert merged.datasets == ["someone/pets"]


def test_a_single_word_where_a_list_may_be_is_kept_in_the_list() -> None:
    merged = merge_readme("---\ndatasets: me/mine\n---\n# Mine\n", card())
    assert ModelCard(merged).data.datasets == ["me/mine", "someone/pets"]


def test_the_results_are_put_at_the_end_and_replaced_the_next_time() -> None:
    once = merge_readme(THEIRS, card(0.5))
    assert once.count(RESULTS_START) == once.count(RESULTS_END) == 1
    assert once.rstrip().endswith(RESULTS_END)
    assert "50.00%" in once
    twice = merge_readme(once.replace("# My pets", "# Our pets"), card(0.75))
    assert "50.00%" not in twice
    assert "75.00%" in twice
    assert twice.count(RESULTS_START) == 1
    assert "# Our pets" in twice


def test_the_block_stays_where_the_author_moved_it() -> None:
    moved = f"# Pets\n\n{RESULTS_START}\nold\n{RESULTS_END}\n\nThe end.\n"
    merged = ModelCard(merge_readme(moved, card(0.75))).text
    assert merged.index("75.00%") < merged.index("The end.")
    assert "old" not in merged


def test_a_card_of_ours_with_changed_metadata_gets_our_new_text() -> None:
    theirs = card(0.5).replace("license: apache-2.0", "license: mit # mine")
    merged = merge_readme(theirs, card(0.75))
    assert "license: mit # mine\n" in merged
    assert merged.endswith(card(0.75).partition("\n---\n")[2])


def test_a_card_of_ours_with_changed_words_gets_the_results_where_they_were() -> None:
    merged = merge_readme(card(0.5).replace("# pets", "# Our pets"), card(0.75))
    assert merged.index("# Our pets") < merged.index("75.00%") < merged.index("## How to use it")
    assert "50.00%" not in merged
    assert "Rendered by" not in merged


@pytest.mark.parametrize(
    "front",
    [
        "{license: mit, tags: [pets]}",
        "a: &a [x]\ntags: *a",
        "tags:\n- pets\n\n# end",
        "? tags\n: x",
    ],
)
def test_fields_in_any_way_of_yaml_are_kept(front: str) -> None:
    before = yaml.safe_load(front)
    after = yaml.safe_load(merge_readme(f"---\n{front}\n---\n# Mine\n", card()).split("---\n")[1])
    assert {k: after[k] for k in before if k != "tags"} == {
        k: v for k, v in before.items() if k != "tags"
    }
    assert {"hub_models", "resnet18"} < set(after["tags"])
    assert ("# end" in front) == ("# end" in merge_readme(f"---\n{front}\n---\n", card()))


def test_merging_twice_changes_nothing_more() -> None:
    once = merge_readme(THEIRS, card())
    assert merge_readme(once, card()) == once


def test_the_same_measure_is_replaced_and_others_stay() -> None:
    theirs = ModelCard(card(0.5))
    theirs.data.eval_results[0].metric_value = 0.5
    other = ModelCard(card(0.4)).data.eval_results[0]
    other.dataset_name, other.dataset_type = "robustness", "me/robust"
    theirs.data.eval_results.append(other)
    results = ModelCard(merge_readme(str(theirs), card(0.75))).data.eval_results
    values = {result.dataset_name: result.metric_value for result in results}
    assert values == {"someone/pets": 0.75, "robustness": 0.4}


def test_a_readme_of_metadata_alone_gets_our_text() -> None:
    merged = ModelCard(merge_readme("---\nlicense: mit\n---\n", card()))
    assert merged.data.license == "mit"
    assert "How to use it" in merged.text


def test_without_measured_results_the_text_is_the_authors_alone() -> None:
    assert ModelCard(merge_readme(THEIRS, card(None))).text == ModelCard(THEIRS).text


def test_a_readme_without_metadata_gets_it() -> None:
    merged = ModelCard(merge_readme("# Only words\n", card()))
    assert merged.data.pipeline_tag == "image-classification"
    assert "# Only words" in merged.text


@pytest.mark.parametrize("front", ["tags: [unclosed", "- a list", "model-index: 7"])
def test_metadata_that_cannot_be_read_is_one_sentence(front: str) -> None:
    with pytest.raises(CheckpointError, match=r"^README\.md has metadata") as raised:
        merge_readme(f"---\n{front}\n---\n# Mine\n", card())
    assert "\n" not in str(raised.value)
