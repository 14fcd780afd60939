"""Many pictures and some models to rows; rows to a table for the page and to CSV."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from demo.archive import Item
from demo.outcome import Answer, Failure, Outcome
from demo.picture import Picture
from demo.service import Service
from demo.text import Text
from demo.verdict import are_at_odds
from hub_models import ImageError, table

_COLUMNS = ("picture", "model", "revision", "label", "probability", "forward_ms", "problem")


@dataclass(frozen=True)
class Row:
    """One picture of a batch.

    Attributes:
        name: What the visitor calls it.
        outcomes: Of each model; empty where there is a problem.
        problem: Why it cannot be read; "" if it can.
    """

    name: str
    outcomes: tuple[Outcome, ...] = ()
    problem: str = ""

    @property
    def is_odd(self) -> bool:
        """Tell whether the models disagree."""
        return are_at_odds(self.outcomes)


def read_rows(
    items: Iterable[Item], service: Service, sources: Sequence[str], say: Text
) -> Iterator[Row]:
    """Ask models about one picture after the other.

    Args:
        items: The pictures.
        service: The models.
        sources: Which of them.
        say: The words of the problems.

    Returns:
        A row for each item; a bad picture is a row too.
    """
    for item in items:
        if item.problem:
            yield Row(item.name, problem=say(item.problem))
            continue
        try:
            yield Row(item.name, service.ask(Picture(item.content, item.name), *sources))
        except ImageError as error:
            yield Row(item.name, problem=str(error).removeprefix(f"{item.name}: "))


def render_rows(rows: Sequence[Row], say: Text) -> str:
    """Draw the table.

    Args:
        rows: Of the pictures so far.
        say: The words of the page.

    Returns:
        HTML; rows on which the models agree have the class "same".
    """
    if not rows:
        return ""
    heads = "".join(
        f'<th scope="col">{escape(say(key))}</th>'
        for key in ("picture", "model", "label", "probability", "forward")
    )
    bodies = "".join(_body(row, say) for row in rows)
    return (
        f'<div class="scroll" tabindex="0"><table class="rows"><thead><tr>{heads}</tr></thead>'
        f"{bodies}</table></div>"
    )


def write_csv(rows: Iterable[Row]) -> str:
    """Write the rows as CSV that a spreadsheet takes for text and numbers.

    Args:
        rows: Of the pictures.

    Returns:
        A line per picture and model, with a byte order mark, as Excel needs it for UTF-8.
    """
    stream = io.StringIO()
    table.write_csv(stream, _COLUMNS, (cells for row in rows for cells in _cells(row)))
    return stream.getvalue()


def _cells(row: Row) -> Iterator[tuple[str, ...]]:
    if row.problem:
        yield (row.name, "", "", "", "", "", row.problem)
    for outcome in row.outcomes:
        match outcome:
            case Answer(facts, reading):
                top = reading.predictions[0]
                numbers = (f"{top.probability:.4f}", f"{reading.forward_ms:.1f}")
                yield (row.name, facts.source, facts.revision or "", top.label, *numbers, "")
            case Failure(source, sentence):
                yield (row.name, source, "", "", "", "", sentence)


def _body(row: Row, say: Text) -> str:
    name = f'<th scope="rowgroup" rowspan="{max(1, len(row.outcomes))}">{escape(row.name)}</th>'
    if row.problem:
        return (
            f'<tbody class="same problem"><tr>{name}<td colspan="4">{escape(row.problem)}</td></tr>'
            "</tbody>"
        )
    lines = [_line(outcome, say) for outcome in row.outcomes]
    kind = "odd" if row.is_odd else "same"
    return (
        f'<tbody class="{kind}"><tr>{name}'
        + "<tr>".join(f"{cells}</tr>" for cells in lines)
        + ("</tbody>")
    )


def _line(outcome: Outcome, say: Text) -> str:
    if isinstance(outcome, Answer):
        top = outcome.reading.predictions[0]
        time = say("milliseconds", number=f"{outcome.reading.forward_ms:.1f}")
        return (
            f"<td>{escape(outcome.facts.source)}</td><td><strong>{escape(top.label)}</strong></td>"
            f'<td class="number">{top.probability:.1%}</td><td class="number">{time}</td>'
        )
    sentence = say("no_answer_of_it")
    if isinstance(outcome, Failure):
        sentence = say("unusable", reason=outcome.sentence.rstrip("."))
    name = getattr(outcome, "source", "")
    return f'<td>{escape(name)}</td><td colspan="3">{escape(sentence)}</td>'
