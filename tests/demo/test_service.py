import pytest

from demo.outcome import Answer, Failure, Fetching, NotChosen, Ready
from demo.service import Service
from demo.settings import Settings
from tests import pictures
from tests.demo.conftest import save_tiny


@pytest.fixture(scope="module")
def service(cards):
    return Service(Settings(cards=cards))


def test_both_models_answer_with_probabilities_and_a_time(service, cat):
    comparison = service.compare(cat, "mobilenet-tiny", "resnet-tiny")
    assert isinstance(comparison.outcomes[0], Answer)
    assert isinstance(comparison.outcomes[1], Answer)
    assert comparison.outcomes[0].reading.predictions[0].label == "cat"
    assert comparison.outcomes[0].reading.predictions[0].probability == pytest.approx(
        0.9526, abs=1e-4
    )
    assert comparison.outcomes[1].reading.predictions[0].label == "dog"
    assert comparison.outcomes[0].reading.forward_ms > 0
    assert comparison.outcomes[0].reading.threads >= 1
    assert comparison.outcomes[0].facts.results["test"]["images"] == 2326


def test_the_page_and_the_library_give_the_same_probabilities(service, tmp_path, cat):
    from hub_models import ImageClassifier

    save_tiny(tmp_path / "random")
    said = service.compare(cat, str(tmp_path / "random"), "").outcomes[0].reading.predictions
    model = ImageClassifier.from_pretrained(tmp_path / "random")
    expected = model.classify(cat)
    assert [p.label for p in said] == [p.label for p in expected]
    assert [p.probability for p in said] == pytest.approx([p.probability for p in expected], 1e-5)


def test_without_a_picture_the_models_are_described(service):
    comparison = service.compare(None, "mobilenet-tiny", "")
    assert isinstance(comparison.outcomes[0], Ready)
    assert comparison.outcomes[0].facts.origin["start"] == "random numbers, for a test"
    assert comparison.outcomes[1] == NotChosen()


def test_a_model_that_fails_leaves_the_other_answer_alone(service, cat, tmp_path):
    comparison = service.compare(cat, "mobilenet-tiny", str(tmp_path))
    assert isinstance(comparison.outcomes[0], Answer)
    assert isinstance(comparison.outcomes[1], Failure)
    assert comparison.outcomes[1].sentence == f"{tmp_path}: no config.json in this folder"


def test_a_model_on_its_way_leaves_the_other_answer_alone(service, cat, silent_hub):
    comparison = service.compare(cat, "owner/slow", "resnet-tiny")
    assert isinstance(comparison.outcomes[0], Fetching)
    assert comparison.outcomes[0].source == "owner/slow"
    assert isinstance(comparison.outcomes[1], Answer)
    assert comparison.is_waiting
    assert not service.compare(cat, "mobilenet-tiny", "resnet-tiny").is_waiting


def test_the_same_bytes_are_read_once_whatever_they_are_called(cards, cat, tmp_path):
    service = Service(Settings(cards=cards))
    first = service.compare(cat, "resnet-tiny").outcomes[0]
    (tmp_path / "copy.jpg").write_bytes(cat.read_bytes())
    again = service.compare(tmp_path / "copy.jpg", "resnet-tiny").outcomes[0]
    assert again.reading is first.reading
    assert b"remembered_total 1.0" in service.metrics.render()
    other = service.compare(tmp_path / "copy.jpg", "mobilenet-tiny").outcomes[0]
    assert other.reading is not first.reading


def test_what_is_remembered_holds_nothing_of_the_picture(service, cat):
    reading = service.compare(cat, "resnet-tiny").outcomes[0].reading
    kept = sum(len(row) for cells in reading.maps for row in cells)
    assert kept <= 2 * 49
    for name, value in vars(reading).items():
        assert name == "runtime" or not isinstance(value, (bytes, str))


def test_the_service_is_ready_once_its_first_models_are_there(cards):
    service = Service(Settings(cards=cards))
    assert not service.is_ready()
    for source in service.defaults:
        service.compare(None, source)
    assert service.is_ready()


def test_a_model_for_huge_pictures_is_refused(service, cat, tmp_path):
    from hub_models import ImageClassifier, PreprocessConfig

    sizes = PreprocessConfig(resize=2048, crop=2048)
    model = ImageClassifier.create("mobilenetv2_025", ["a", "b"], preprocess=sizes)
    model.save_pretrained(tmp_path)
    outcome = service.compare(cat, str(tmp_path), "").outcomes[0]
    assert outcome.sentence == "it sees 2,048 px; the demo takes models up to 1,024 px"


def jpeg_cut_short(cat):
    return cat.read_bytes()[:5000]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (jpeg_cut_short, "upload.jpg: damaged or truncated"),
        (lambda cat: b"just some text", "upload.jpg: not a picture of a known kind"),
        (lambda cat: b"", "upload.jpg: the file is empty"),
        (lambda cat: pictures.png_bomb(20_000), "upload.jpg: 20,000 × 20,000 pixels, the limit"),
        (lambda cat: b"\xff\xd8" + bytes(17 * 2**20), "upload.jpg: 17,825,794 bytes, the limit"),
    ],
    ids=["truncated", "text", "empty", "bomb", "too large"],
)
def test_a_bad_picture_is_one_sentence_and_the_models_stay(service, cat, tmp_path, content, reason):
    path = tmp_path / "upload.jpg"
    path.write_bytes(content(cat))
    comparison = service.compare(path, "mobilenet-tiny", "resnet-tiny")
    assert comparison.problem.startswith(reason)
    assert "\n" not in comparison.problem
    assert isinstance(comparison.outcomes[0], Ready)
    assert isinstance(comparison.outcomes[1], Ready)


def test_the_choices_are_the_embedded_models_and_those_of_the_settings(cards):
    service = Service(Settings(cards=cards, models=("owner/name", "markup")))
    assert service.choices == ("markup", "mobilenet-tiny", "resnet-tiny", "owner/name")
    assert service.defaults == ("markup", "resnet-tiny")


def test_without_embedded_models_those_of_the_settings_come_first(tmp_path):
    service = Service(Settings(cards=tmp_path, models=("owner/a", "owner/b", "owner/c")))
    assert service.defaults == ("owner/a", "owner/c")


def test_without_embedded_models_the_service_still_starts(tmp_path):
    service = Service(Settings(cards=tmp_path))
    service.preload()
    assert service.choices == service.defaults == ()
    assert service.compare(None, "", "").outcomes[0] == NotChosen()
