"""The words of the page."""

from typing import Final

TITLE: Final = "Two models, one picture"
INTRODUCTION: Final = (
    "Give a picture to two small image classifiers and see what each of them says, how sure it is "
    "and how long it takes."
)
PICTURE: Final = "Picture"
PICTURE_ALT: Final = "The picture being classified"
DROP_HERE: Final = "Drop a picture here\nor click to choose one"
EXAMPLES: Final = "Or try one of these: a photograph and two drawings"
COMPARE: Final = "Compare"
SIDES: Final = ("First model", "Second model")
CHOOSE: Final = "Choose two models, or type the owner/name of one on the hub and press Enter."
CHOOSE_TRUSTED: Final = (
    "Choose two models, or type the owner/name of one on the hub (or a folder) and press Enter."
)
STARTING: Final = "Loading the models …"

NO_MODELS: Final = (
    "No models come with this copy of the demo: there is no folder with a config.json in "
    "model_cards. Type the name of a model on the hub below."
)
NO_PICTURE: Final = "Waiting for a picture: drop one, paste one, take one, or try an example."
NO_MODEL: Final = "Choose a model to begin."
NO_MODEL_YET: Final = "The models are on their way."
NO_ANSWER: Final = "Neither model could answer."
NOT_CHOSEN: Final = "Choose a model above."
NOT_AN_UPLOAD: Final = "This is not an uploaded picture; please choose it again."
UNSURE: Final = "unsure"
ACCURACY_UNKNOWN: Final = "not measured"
START_UNKNOWN: Final = "not stated"


def bad_picture(problem: str) -> str:
    """Say that the picture cannot be used, and why."""
    return f"This picture cannot be used. {problem}."


def fetching(source: str) -> str:
    """Say that a model is on its way."""
    return f"Fetching {source} from the hub. This can take a minute; the page goes on working."


def unusable(sentence: str) -> str:
    """Say that a model cannot be used, and why."""
    return f"This model cannot be used. {sentence}."


def both_say(label: str) -> str:
    """Say that the models agree."""
    return f"Both models say {label}."


def both_say_unsure(label: str, unsure: list[str]) -> str:
    """Say that the models agree, but not all of them firmly."""
    if len(unsure) > 1:
        return f"Both models lean to {label}, and both are unsure."
    return f"Both models say {label}, but {unsure[0]} is unsure."


def they_disagree(left: tuple[str, str], right: tuple[str, str], unsure: list[str]) -> str:
    """Say who says what; each side is a name and a label."""
    sentence = f"The models disagree: {left[0]} says {left[1]}, {right[0]} says {right[1]}."
    if len(unsure) > 1:
        return f"{sentence} Both are unsure."
    return f"{sentence} {unsure[0]} is unsure." if unsure else sentence


def only_one(name: str, label: str) -> str:
    """Say what the one model says that could answer."""
    return f"Only one model answered: {name} says {label}."


def one_so_far(name: str, label: str) -> str:
    """Say what the one model says while the other is being fetched."""
    return f"{name} says {label}. The other model is on its way."


def forward_time(passes: int, threads: int) -> str:
    """Say what the time is the time of."""
    return (
        f"median of {passes} forward pass{'' if passes == 1 else 'es'} after a warm-up · "
        f"this machine, CPU, {threads} thread{'' if threads == 1 else 's'}"
    )


def more_classes(count: int) -> str:
    """Say how many classes are not shown."""
    return f"and {count:,} more class{'' if count == 1 else 'es'}"


def notes(unsure_below: float) -> str:
    """Say what to know before believing the page, in Markdown."""
    return (
        f"**Unsure** means that the top probability is below {unsure_below:.0%}. A model knows "
        "only its own classes: shown anything else, it still names one of them. Pictures are not "
        "kept: they are deleted after about an hour, and when the demo stops."
    )
