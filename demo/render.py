"""Outcomes to HTML: one card per model. Everything that is not ours is escaped."""

from html import escape
from typing import Final
from urllib.parse import quote

from huggingface_hub import constants

from demo.evidence import draw_map
from demo.outcome import Answer, Facts, Failure, Fetching, NotChosen, Outcome, Reading, Ready
from demo.text import Text

SHOWN_CLASSES: Final = 5
_PATHS: Final = {  # 24 × 24, drawn with strokes
    "agree": "M4 12.5l5.5 5.5L20 7",
    "differ": "M5 9h14M5 15h14M16 4L8 20",
    "unsure": "M8.5 9a3.5 3.5 0 115.500 2.900c-1.200.800-2 1.500-2 2.800m0 3.300v.1",
    "wait": "M12 6v6l4 2.5M12 3a9 9 0 100 18 9 9 0 000-18z",
    "problem": "M12 8v5m0 3.5v.1M12 3L2.5 20h19L12 3z",
}
# The browser does it: no request, and arrow keys work.
_BLEND: Final = "this.closest('.evidence').style.setProperty('--blend', this.value / 100)"


class CardRenderer:
    """Draws the cards of one visitor.

    Args:
        say: The words of the page.
        unsure_below: A top probability under this is marked, 0 to 1.
        picture: Address of the uploaded picture, for the maps; "" for none.
        shown: How many classes a card lists.
    """

    def __init__(
        self, say: Text, unsure_below: float, picture: str = "", *, shown: int = SHOWN_CLASSES
    ) -> None:
        self._say, self._unsure_below = say, unsure_below
        self._picture, self._shown = picture, shown

    def card(self, outcome: Outcome, name: str) -> str:
        """Draw what became of one model.

        Args:
            outcome: What became of it.
            name: Tells the card's controls from another card's.

        Returns:
            HTML.
        """
        match outcome:
            case Answer():
                body = self._answer(outcome, name) + self._facts(outcome.facts)
                return _card(outcome.facts.source, "answer", body)
            case Ready():
                return _card(outcome.facts.source, "ready", self._facts(outcome.facts))
            case Fetching():
                return _card(outcome.source, "wait", line("wait", self.fetching(outcome)))
            case Failure():
                sentence = self._say("unusable", reason=outcome.sentence.rstrip("."))
                return _card(outcome.source, "problem", line("problem", sentence))
            case NotChosen():
                return _card("", "ready", f"<p>{escape(self._say('not_chosen'))}</p>")

    def fetching(self, outcome: Fetching) -> str:
        """Say how far a model has come, as plain text."""
        progress = ""
        if outcome.arrived_bytes:
            megabytes = f"{outcome.arrived_bytes / 1e6:.1f}"
            progress = self._say("progress", megabytes=megabytes, seconds=int(outcome.seconds))
        return self._say("fetching", source=outcome.source, progress=progress)

    def _answer(self, answer: Answer, name: str) -> str:
        reading, top = answer.reading, answer.reading.predictions[0]
        mark = ""
        if reading.is_unlike:
            mark = f'<span class="unsure">{escape(self._say("unlike"))}</span>'
        elif top.probability < self._unsure_below:
            mark = f'<span class="unsure">{escape(self._say("unsure"))}</span>'
        hidden = len(answer.facts.labels) - self._shown
        more = self._say("more_classes", count=f"{hidden:,}") if hidden > 0 else ""
        return (
            f'<p class="top"><strong>{escape(top.label)}</strong>{mark}</p>'
            f'<ul class="classes">{self._classes(reading, name)}</ul>'
            + (f'<p class="more">{escape(more)}</p>' if more else "")
            + (self._evidence(answer) if self._picture and reading.maps else "")
            + self._times(reading)
        )

    def _classes(self, reading: Reading, name: str) -> str:
        rows = []
        for index, p in enumerate(reading.predictions[: self._shown]):
            choice = ""
            if self._picture and index < len(reading.maps):
                title = escape(self._say("show_class", label=p.label))
                checked = " checked" if index == 0 else ""
                choice = (
                    f'<input type="radio" name="{name}-class" class="pick-{index}" '
                    f'aria-label="{title}" title="{title}"{checked}>'
                )
            rows.append(
                f'<li><label>{choice}<span class="label">{escape(p.label)}</span>'
                f'<span class="bar" aria-hidden="true"><i style="width:{p.probability:.2%}"></i>'
                f'</span><span class="probability">{p.probability:.1%}</span></label></li>'
            )
        return "".join(rows)

    def _evidence(self, answer: Answer) -> str:
        say, facts = self._say, answer.facts
        maps = "".join(
            f'<img class="map map-{index}" alt="" src="{draw_map(cells)}">'
            for index, cells in enumerate(answer.reading.maps[: self._shown])
        )
        view = "view squashed" if facts.is_squashed else "view"
        return (
            f'<div class="evidence" style="--zoom:{facts.zoom:.4f}"><figure class="{view}">'
            f'<img class="seen" alt="{escape(say("seen_alt"))}" src="{escape(self._picture)}">'
            f'{maps}</figure><label class="blend"><span>{escape(say("from_picture"))}</span>'
            f'<input type="range" min="0" max="100" value="55" oninput="{_BLEND}" '
            f'aria-label="{escape(say("blend"))}"><span>{escape(say("to_map"))}</span></label>'
            f'<p class="note">{escape(say("map_note"))}</p></div>'
        )

    def _times(self, reading: Reading) -> str:
        say = self._say
        parts = "".join(
            f"<div><dt>{escape(say(part))}</dt>"
            f"<dd>{escape(say('milliseconds', number=f'{spent:.1f}'))}</dd></div>"
            for part, spent in (
                ("decode", reading.decode_ms),
                ("preprocess", reading.preprocess_ms),
                ("forward", reading.forward_ms),
            )
        )
        said = {"runtime": reading.runtime, "threads": reading.threads}
        key = "times" if reading.passes else "times_busy"
        note = say(key, **said, passes=reading.passes)
        return f'<dl class="times">{parts}</dl><p class="note">{escape(note)}</p>'

    def _facts(self, facts: Facts) -> str:
        say = self._say
        start = str(facts.origin.get("start") or say("not_stated"))
        rows = {
            "architecture": say("pixels", architecture=facts.architecture, side=facts.side_px),
            "parameters": f"{facts.parameters:,}",
            "size": say("megabytes", number=f"{facts.weight_bytes / 1e6:.1f}"),
            "accuracy": self._accuracy(facts),
            "started_from": start,
        }
        inner = "".join(
            f"<dt>{escape(say(term))}</dt><dd>{escape(value)}</dd>" for term, value in rows.items()
        )
        if facts.revision:
            link = _hub_link(facts.source, facts.revision)
            inner += f"<dt>{escape(say('revision'))}</dt><dd>{link}</dd>"
        return f'<dl class="facts">{inner}</dl>'

    def _accuracy(self, facts: Facts) -> str:
        """Say the measured accuracy; results are anybody's JSON, so nothing of them is taken."""
        split = "test" if "test" in facts.results else next(iter(facts.results), "")
        numbers = facts.results.get(split, {})
        accuracy, images = numbers.get("accuracy"), numbers.get("images")
        if not isinstance(accuracy, int | float):
            return self._say("not_measured")
        said = {"accuracy": f"{accuracy:.2%}", "split": split}
        if isinstance(images, int):
            return self._say("accuracy_of", images=f"{images:,}", **said)
        return self._say("accuracy_on", **said)


def line(kind: str, sentence: str) -> str:
    """Draw a sentence with its icon.

    Args:
        kind: "agree", "differ", "unsure", "wait" or "problem".
        sentence: Plain text.

    Returns:
        HTML.
    """
    icon = (
        '<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" '
        'stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round">'
        f'<path d="{_PATHS[kind]}"/></svg>'
    )
    return f'<p class="line">{icon}<span>{escape(sentence)}</span></p>'


def _card(name: str, kind: str, body: str) -> str:
    title = f"<h2>{escape(name)}</h2>" if name else ""
    return f'<article class="model-card {kind}">{title}{body}</article>'


def _hub_link(source: str, revision: str) -> str:
    repo_id = source.partition("@")[0]
    address = f"{constants.ENDPOINT}/{quote(repo_id)}/tree/{quote(revision)}"
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(revision[:7])}</a>'
