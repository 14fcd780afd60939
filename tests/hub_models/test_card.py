import re
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard

from hub_models import ModelConfig, PreprocessConfig
from hub_models.card import is_rendered, render_card, untouched_parts

PLAIN = ModelConfig(
    architecture="resnet18",
    label_names=("cat", "dog"),
    num_features=512,
    first_conv="conv1",
    classifier="fc",
)
MEASURED = replace(
    PLAIN,
    origin={
        "license": "apache-2.0",
        "dataset": "owner/cats",
        "base_model": "timm/resnet18.a1_in1k",
        "epochs": 3,
        "command": "finetune | tee log",
        "note": "The test split was never trained on.",
    },
    results={
        "test": {
            "accuracy": 0.9712,
            "accuracy_low": 0.961,
            "accuracy_high": 0.979,
            "images": 1400,
            "command": "python -m training.evaluate",
        }
    },
)


def test_the_hub_reads_the_results_from_the_metadata() -> None:
    data = ModelCard(render_card(MEASURED, "cats")).data
    assert data.library_name == "timm"
    assert data.pipeline_tag == "image-classification"
    assert data.license == "apache-2.0"
    assert data.datasets == ["owner/cats"]
    assert data.base_model == "timm/resnet18.a1_in1k"
    assert data.tags == ["hub_models", "image-classification", "resnet18"]
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", 0.9712)
    assert (result.dataset_type, result.dataset_split) == ("owner/cats", "test")


def test_every_number_on_the_card_is_the_configs() -> None:
    text = render_card(MEASURED, "cats")
    assert "| test | 1,400 | 97.12% | 96.10% to 97.90% |" in text
    assert "Measured by `python -m training.evaluate`." in text
    assert "| Epochs | 3 |" in text
    assert "| Command | finetune \\| tee log |" in text
    assert "The test split was never trained on." in text


def test_a_model_without_results_claims_none() -> None:
    text = render_card(PLAIN, "cats")
    assert "## Results" not in text
    assert "## How it was made" not in text
    assert ModelCard(text).data.eval_results is None


@pytest.mark.parametrize(
    "numbers", [{}, {"images": 5}, {"accuracy": 0.5}, {"accuracy": 0.5, "images": 5}]
)
def test_a_number_that_was_not_measured_is_left_blank(numbers: dict[str, float]) -> None:
    text = render_card(replace(PLAIN, results={"test": numbers}), "cats")
    assert "| test |" in text
    assert ("50.00%" in text) == ("accuracy" in numbers)
    assert (ModelCard(text).data.eval_results is not None) == ("accuracy" in numbers)


DETAILED = replace(
    MEASURED,
    label_names=("cat", "d|og"),
    results={
        "validation": {"accuracy": 0.9, "macro_f1": 0.91234, "auc": 0.98765, "ece": 0.0312},
        "test": {
            "accuracy": 0.75,
            "ece": 0.05,
            "temperature": 1.234,
            "ece_calibrated": 0.0102,
            "per_class": [
                {"label": "cat", "precision": 0.8, "recall": 0.75, "f1": 0.7742, "support": 1200},
                {"label": "d|og", "precision": 0.5, "recall": 1, "f1": 0.6667, "support": 4},
            ],
            "confusion": [[900, 300], [0, 4]],
        },
    },
)


def test_scores_stand_in_one_table_and_what_is_not_known_is_blank() -> None:
    text = render_card(DETAILED, "cats")
    assert "| validation | 0.9123 | 0.9877 | 3.12% |  |  |" in text
    assert "| test |  |  | 5.00% | 1.23 | 1.02% |" in text
    assert "macro F1" not in render_card(MEASURED, "cats")


def test_classes_and_confusion_are_shown_for_the_split_that_has_them() -> None:
    text = render_card(DETAILED, "cats")
    _, classes = text.split("### By class, test\n\n")
    assert classes.startswith(
        "| class | photographs | precision | recall | F1 |\n|---|---|---|---|---|\n"
        "| cat | 1,200 | 80.00% | 75.00% | 0.7742 |\n"
        "| d\\|og | 4 | 50.00% | 100.00% | 0.6667 |\n"
    )
    assert (
        "### Confusion, test\n\n| was | said cat | said d\\|og |\n|---|---|---|\n"
        "| cat | 900 | 300 |\n| d\\|og | 0 | 4 |\n"
    ) in text
    assert "validation\n\n| class" not in text


def test_a_confusion_of_other_labels_is_not_shown() -> None:
    text = render_card(replace(DETAILED, label_names=("a", "b", "c")), "cats")
    assert "### Confusion" not in text


def test_a_local_data_set_is_not_linked_as_one_of_the_hub() -> None:
    text = render_card(replace(MEASURED, origin={"dataset": "./my photos"}), "cats")
    data = ModelCard(text).data
    assert data.datasets is None
    assert data.eval_results[0].dataset_type == "imagefolder"


def test_many_labels_are_cut_and_counted() -> None:
    labels = tuple(f"class {i}" for i in range(25))
    assert "`class 19` and 5 more" in render_card(replace(PLAIN, label_names=labels), "cats")


def test_the_card_says_what_happens_to_a_picture() -> None:
    squash = replace(PLAIN, preprocess=PreprocessConfig(64, 64, crop_mode="squash"))
    assert "shorter side resized to 256 px, centre 224 px kept" in render_card(PLAIN, "x")
    assert "both sides resized to 64 px" in render_card(squash, "x")


def test_a_rendered_card_is_known_from_a_written_one() -> None:
    assert is_rendered(render_card(PLAIN, "cats"))
    assert not is_rendered("---\nlicense: mit\n---\n# My own words")


def test_a_card_somebody_changed_is_known_from_one_with_other_line_ends() -> None:
    text = render_card(MEASURED, "cats")
    assert untouched_parts(text) == (True, True)
    assert untouched_parts("\ufeff" + text.replace("\n", "\r\n").rstrip()) == (True, True)
    form = text.replace("tags:\n", "license: mit\ntags:\n")
    assert untouched_parts(form) == (False, True)
    words = text.replace("An image classifier", "A fine image classifier")
    assert untouched_parts(words) == (True, False)
    assert not is_rendered(form)
    assert not is_rendered(words)
    assert is_rendered(re.sub(r"config\.json \(.*\):", "config.json:", text))  # as cards once were


@pytest.mark.parametrize("name", ["cats", "true", "12", "a: b", "# c", "naïve-🐱"])
def test_any_folder_name_leaves_the_metadata_readable(name: str) -> None:
    metadata = yaml.safe_load(render_card(MEASURED, name).split("---\n")[1])
    assert metadata["model-index"][0]["name"] == name


def test_the_card_shows_how_three_libraries_read_the_folder() -> None:
    text = render_card(MEASURED, "cats")
    for line in (
        'ImageClassifier.from_pretrained("cats")',
        'timm.create_model("local-dir:cats", pretrained=True)',
        'pipeline("image-classification", model="cats")',
    ):
        assert line in text


def test_a_published_card_has_lines_that_can_be_copied() -> None:
    text = render_card(MEASURED, "owner/cats")
    for line in (
        'ImageClassifier.from_pretrained("owner/cats")',
        'timm.create_model("hf-hub:owner/cats", pretrained=True)',
        'pipeline("image-classification", model="owner/cats")',
        "# cats",
    ):
        assert line in text
    assert yaml.safe_load(text.split("---\n")[1])["model-index"][0]["name"] == "cats"


@pytest.mark.parametrize("changes", [{"stem": "small"}, {"architecture": "mobilenetv2_025"}])
def test_a_network_only_we_know_is_not_announced_as_timm_s(changes: dict[str, str]) -> None:
    text = render_card(replace(PLAIN, **changes), "cats")
    assert "Only hub_models reads this folder" in text
    assert "timm.create_model" not in text
    assert ModelCard(text).data.library_name == "hub_models"


def test_the_page_gets_its_example_pictures() -> None:
    addresses = "https://example.org/a-cat.jpg examples/dog.png"
    text = render_card(replace(PLAIN, origin={"widget": addresses}), "cats")
    assert ModelCard(text).data.widget == [
        {"src": "https://example.org/a-cat.jpg", "example_title": "a cat"},
        {"src": "examples/dog.png", "example_title": "dog"},
    ]
    assert ModelCard(render_card(PLAIN, "cats")).data.to_dict().get("widget") is None


def test_the_limits_say_the_classes_and_how_far_probabilities_are_off() -> None:
    text = render_card(DETAILED, "cats")
    assert "It knows these 2 classes and no others" in text
    assert "off by 3.12% on validation, 5.00% on test on average (ECE)" in text
    assert "Nothing was measured" in render_card(PLAIN, "cats")


def test_no_number_stands_on_the_card_that_the_results_do_not_hold() -> None:
    """Every percentage and score in the text is one of the config's numbers, formatted."""
    text = render_card(DETAILED, "cats").split("## Results")[1]
    numbers = [
        value
        for split in DETAILED.results.values()
        for row in (split, *split.get("per_class", []))
        for value in row.values()
        if isinstance(value, float | int)
    ]
    percent = {f"{value:.2%}" for value in numbers}
    assert set(re.findall(r"\d+\.\d+%", text)) <= percent
    scores = {f"{value:.4f}" for value in numbers} | {f"{value:.2f}" for value in numbers}
    assert set(re.findall(r"(?<![\d.])\d\.\d{2,4}(?![\d%])", text)) <= scores


COSTS = {
    "command": "hub-models profile FOLDER --save",
    "picture": "drawn",
    "parameters": 11_177_538,
    "macs": 2_000_000,
    "bytes": 44_700_000,
    "machine": {"cpu": "a CPU", "cores": 2, "versions": {"torch": "2.9"}},
    "measurements": [
        {
            "engine": "onnx",
            "threads": 1,
            "batch": 8,
            "forward_p50_ms": 1.23,
            "p50_ms": 2.34,
            "p95_ms": 3.46,
            "peak_bytes": 123_400_000,
        }
    ],
}


def test_costs_stand_with_the_command_and_the_machine_that_measured_them() -> None:
    text = render_card(replace(MEASURED, costs=COSTS), "cats")
    assert "11,177,538 parameters, 2,000,000 MACs a picture (4,000,000 FLOPs)" in text
    assert "44,700,000 bytes" in text
    assert "| onnx | 1 | 8 | 1.2 | 2.3 | 3.5 | 123 |" in text
    assert "`hub-models profile FOLDER --save` on a CPU, 2 cores; torch 2.9." in text
    assert "## Costs" not in render_card(MEASURED, "cats")


def test_the_limits_name_the_error_of_the_probabilities_that_classify_gives() -> None:
    assert "off by 3.12% on validation, 5.00% on test" in render_card(DETAILED, "cats")
    calm = render_card(replace(DETAILED, temperature=1.234), "cats")
    assert "off by 1.02% on test on average" in calm
    assert "leave out the temperature (1.23)" in calm
    assert "leave out" not in render_card(DETAILED, "cats")


def test_accuracies_on_worse_pictures_stand_in_a_table_of_their_own() -> None:
    rows = [{"change": "as it is", "accuracy": 0.9712}, {"change": "grey", "accuracy": 0.9}]
    text = render_card(replace(MEASURED, results={"test": {"robustness": rows}}), "cats")
    assert "### On worse pictures, test\n\n| change | accuracy |" in text
    assert "| as it is | 97.12% |\n| grey | 90.00% |\n" in text
    assert "worse pictures" not in render_card(MEASURED, "cats")
