import csv
import io
from dataclasses import replace

import pytest

from demo.archive import Item
from demo.batch import Row, read_rows, render_rows, write_csv
from demo.outcome import Answer, Failure
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from hub_models import Prediction
from tests.demo.conftest import FACTS, answer, reading

SAY = Text("en")


@pytest.fixture(scope="module")
def service(cards):
    return Service(Settings(cards=cards))


def test_each_picture_is_asked_of_each_model_and_a_bad_one_is_a_row(service, cat, tmp_path):
    items = [
        Item("cat.jpg", cat.read_bytes()),
        Item("notes.txt", b"just some text"),
        Item("b.jpg", problem="encrypted"),
    ]
    sources = ["mobilenet-tiny", "resnet-tiny", str(tmp_path)]
    good, bad, locked = read_rows(items, service, sources, SAY)
    labels = [o.reading.predictions[0].label for o in good.outcomes[:2]]
    assert labels == ["cat", "dog"]
    assert good.is_odd
    assert isinstance(good.outcomes[2], Failure)
    assert bad.problem.startswith("not a picture of a known kind")
    assert locked.problem == "protected by a password"


def test_a_batch_remembers_what_the_other_tab_has_read(service, cat):
    seen = service.compare(cat, "resnet-tiny").outcomes[0].reading
    items = [Item("again.jpg", cat.read_bytes())]
    (row,) = read_rows(items, service, ["resnet-tiny"], SAY)
    assert row.outcomes[0].reading is seen


def test_the_table_marks_the_rows_on_which_the_models_disagree():
    rows = [
        Row("same.jpg", (answer("A"), answer("B"))),
        Row("odd.jpg", (answer("A"), answer("B", "dog"))),
        Row("bad.jpg", problem="damaged"),
    ]
    html = render_rows(rows, SAY)
    kinds = [part.partition('"')[0] for part in html.split('<tbody class="')[1:]]
    assert kinds == ["same", "odd", "same problem"]
    assert "damaged" in html


def test_nothing_of_a_stranger_becomes_markup():
    evil = "<script>alert(1)</script>"
    said = Answer(replace(FACTS, source=evil), reading(predictions=(Prediction(evil, 1.0),)))
    html = render_rows([Row(evil, (said, Failure(evil, evil))), Row(evil, problem=evil)], SAY)
    assert "<script" not in html


def test_the_csv_has_a_line_per_picture_and_model():
    rows = [Row("a.jpg", (answer("A"), Failure("B", "no"))), Row("b.jpg", problem="damaged")]
    text = write_csv(rows)
    assert text.startswith("\ufeffpicture,model,revision,label,probability,forward_ms,problem")
    assert list(csv.reader(io.StringIO(text)))[1:] == [
        ["a.jpg", "A", "", "cat", "0.9000", "12.3", ""],
        ["a.jpg", "B", "", "", "", "", "no"],
        ["b.jpg", "", "", "", "", "", "damaged"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"])
def test_no_cell_of_the_csv_is_a_formula(start):
    evil = f'{start}HYPERLINK("http://evil.example")'
    said = Answer(replace(FACTS, source=evil), reading(predictions=(Prediction(evil, 1.0),)))
    text = write_csv([Row(evil, (said,)), Row(evil, problem=evil)])
    cells = [cell for line in csv.reader(io.StringIO(text[1:])) for cell in line]
    assert sum("HYPERLINK" in cell for cell in cells) == 5
    assert not any(cell.startswith(start) for cell in cells)
