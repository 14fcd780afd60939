"""Every situation of the table ends as it must."""

from pathlib import Path

import pytest

from tests.situations import Situation, all_situations

ROWS = [
    pytest.param(row, id=f"{door}: {row.given}")
    for door, situations in all_situations().items()
    for row in situations
]


@pytest.mark.parametrize("row", ROWS)
def test_the_situation_ends_as_it_must(row: Situation, tmp_path: Path) -> None:
    said = row.happens(tmp_path)
    for piece in row.right:
        assert piece in said
