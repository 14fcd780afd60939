"""The page's words in English; `{}` holds what is put in."""

from typing import Final

ENGLISH: Final = {
    "title": "Two models, one picture",
    "introduction": (
        "Give a picture to two small image classifiers and see what each of them says, how sure "
        "it is, where it looks and how long it takes."
    ),
    "tab_compare": "Compare",
    "tab_batch": "Many pictures",
    "tab_imagenet": "ImageNet",
    "tab_models": "Models",
    "tab_about": "About",
    "picture": "Picture",
    "picture_alt": "The picture being classified",
    "drop_here": "Drop a picture here\nor click to choose one",
    "example": "Example",
    "examples": "Or try one of these: a photograph and two drawings",
    "compare": "Compare",
    "first_model": "First model",
    "second_model": "Second model",
    "choose": "Choose two models, or type the owner/name of one on the hub and press Enter.",
    "choose_trusted": (
        "Choose two models, or type the owner/name of one on the hub (or a folder) and press Enter."
    ),
    "starting": "Loading the models …",
    "no_models": (
        "No models come with this copy of the demo: there is no folder with a config.json in "
        "model_cards. Type the name of a model on the hub below."
    ),
    "no_picture": "Waiting for a picture: drop one, paste one, take one, or try an example.",
    "no_model": "Choose a model to begin.",
    "no_model_yet": "The models are on their way.",
    "no_answer": "Neither model could answer.",
    "not_chosen": "Choose a model above.",
    "not_an_upload": "This is not an uploaded picture; please choose it again.",
    "unsure": "unsure",
    "unlike": "unlike its classes",
    "bad_picture": "This picture cannot be used. {problem}.",
    "fetching": (
        "Fetching {source} from the hub{progress}. This can take a minute; the page goes on "
        "working."
    ),
    "progress": ": {megabytes} MB in {seconds} s",
    "unusable": "This model cannot be used. {reason}.",
    "both_say": "Both models say {label}.",
    "both_say_but": "Both models say {label}, but {model} is unsure.",
    "both_lean": "Both models lean to {label}, and both are unsure.",
    "disagree": "The models disagree: {left} says {left_label}, {right} says {right_label}.",
    "disagree_but": (
        "The models disagree: {left} says {left_label}, {right} says {right_label}. "
        "{model} is unsure."
    ),
    "disagree_unsure": (
        "The models disagree: {left} says {left_label}, {right} says {right_label}. "
        "Both are unsure."
    ),
    "neither": "To {models} this does not look like {classes}; each model had to name one anyway.",
    "unlike_to": "{verdict} To {models} it does not look like {classes}.",
    "only_one": "Only one model answered: {model} says {label}.",
    "one_so_far": "{model} says {label}. The other model is on its way.",
    "a_class_of_it": "one of its classes",
    "and": "{first} and {last}",
    "or": "{first} or {last}",
    "decode": "decode",
    "preprocess": "preprocess",
    "forward": "forward",
    "milliseconds": "{number} ms",
    "times": (
        "this machine, CPU, {runtime}, threads: {threads} · forward: median of the latest {passes} "
        "passes, warm-up left out · decode and preprocess: once"
    ),
    "times_busy": (
        "this machine, CPU, {runtime}, threads: {threads} · many pictures at once: forward as "
        "measured while it was quiet · decode and preprocess: once"
    ),
    "more_classes": "and {count} more",
    "seen_alt": "The part of the picture that this model saw",
    "show_class": "Show where the picture speaks for {label}",
    "from_picture": "picture",
    "to_map": "map",
    "blend": "From the picture to the map",
    "map_note": (
        "What the model saw, and which parts of it speak for the chosen class: the exact shares "
        "of its logit, from the same forward pass."
    ),
    "architecture": "Architecture",
    "parameters": "Parameters",
    "size": "Weights",
    "megabytes": "{number} MB",
    "pixels": "{architecture}, {side} px",
    "accuracy": "Accuracy",
    "accuracy_of": "{accuracy} of {images} pictures ({split})",
    "accuracy_on": "{accuracy} ({split})",
    "not_measured": "not measured",
    "started_from": "Started from",
    "not_stated": "not stated",
    "revision": "Revision",
    "notes": (
        "**Unsure** means that the top probability is below {unsure_below}. **Unlike its classes** "
        "is said of models for which pictures of other things were measured, and misses many. "
        "Pictures are not kept: they are deleted within the hour, and when the demo stops."
    ),
    "pictures": "Pictures, or a ZIP of them",
    "batch_hint": (
        "Up to {count} pictures at a time. Each model's answer is a row; nothing is kept, the "
        "table can be downloaded."
    ),
    "batch_needs": "Choose some pictures and at least one model.",
    "batch_waits": "A model is still on its way; please start again in a moment.",
    "batch_done": "{done} of {total} pictures · models disagree: {odd} · cannot be read: {bad}",
    "start": "Start",
    "stop": "Stop",
    "only_odd": "Only where they disagree",
    "csv": "Download as CSV",
    "model": "Model",
    "label": "Label",
    "probability": "Probability",
    "no_answer_of_it": "no answer",
    "too_many": "there are more pictures than one batch takes; the rest was left out",
    "too_much": "the pictures are larger together than one batch takes; the rest was left out",
    "too_large": "the file is larger than a picture may be",
    "gone": "the upload is gone; please choose it again",
    "bad_archive": "not a readable ZIP archive",
    "bad_entry": "damaged inside the archive",
    "bomb": "unpacks to far more than it is: not a picture",
    "link": "a link, not a picture",
    "encrypted": "protected by a password",
    "bad_name": "its name leads out of the archive",
    "language": "English",
    "imagenet_hint": (
        "The same picture through the ImageNet-1k weights that torchvision has of an architecture: "
        "the three most probable of 1,000 classes. They are downloaded when first asked for."
    ),
    "classify": "Classify",
    "models_hint": (
        "Models come from this copy of the demo, or from the hub at one revision, which the table "
        "names. Up to {count} are kept in memory; the one not used for longest leaves first."
    ),
    "model_to_fetch": "A model on the hub",
    "fetch": "Fetch",
    "state": "State",
    "in_memory": "in memory",
    "not_loaded": "not loaded yet",
    "tab_tradeoff": "Trade-off",
    "interval": "95 % interval",
    "a_picture": "Time of a picture",
    "memory": "memory",
    "speed": "time of a picture",
    "balanced": "balance of accuracy and cost",
    "priority": "What matters most",
    "measured_on": (
        "Measured on {images} pictures of {data} ({split}); time and memory on {cpu}, "
        "cores: {cores}."
    ),
    "engine_threads": "{engine}, threads: {threads}",
    "tradeoff_picture": "Accuracy, with its 95 % interval, against the time of a picture",
    "no_comparison": (
        "Nothing was measured for this copy of the demo: python -m training.compare --model A "
        "--model B --data DATA --out model_cards/comparison.json makes the table."
    ),
    "bad_comparison": "The measured comparison cannot be used: {reason}.",
    "choice": "{name}, before {other}: {reasons}.",
    "only_choice": "{name} is the only model that can be chosen.",
    "no_choice": "No model keeps the limits: {misses}.",
    "one_reason": "{criterion} {ours} against {theirs} ({outcome})",
    "decides": "this decides",
    "no_difference": "no difference that can be shown",
    "other_better": "here the other is better",
    "miss_latency": "{name} takes {value} ms, the limit is {allowed} ms",
    "miss_size": "{name} has {value} MB, the limit is {allowed} MB",
    "miss_memory": "{name} needs {value} MB of memory, the limit is {allowed} MB",
    "miss_accuracy": "{name} is right in {value}, at least {allowed} is wanted",
    "use": "Use",
    "reason": "Reason",
    "none": "none",
    "scenario_web": "Pictures uploaded to a web page: answered within 100 ms",
    "scenario_mobile": "In a mobile app: up to 20 MB, one core",
    "scenario_edge": "On a small device: up to 256 MB of memory, one core",
    "scenario_video": "On a video stream: answered within 40 ms",
    "scenario_moderation": "Sorting out pictures: no limit, accuracy counts",
    "measure_now": "Measure on this machine now",
    "measure": "Measure",
    "measuring": "Measuring both models in turn, for about {seconds} seconds …",
    "half_within": "Half within",
    "most_within": "95 % within",
    "calls": "Times",
    "runs_on": "Runs on",
    "measured_how": (
        "From the bytes of the example photograph to probabilities, the models taking turns, after "
        "a warm-up. Other visitors' pictures slow it down."
    ),
    "versions": "Versions",
    "about": (
        "## What this is\n\n"
        "Small image classifiers, side by side. Their cards below say what they were trained on, "
        "how, and how often they are right.\n\n"
        "## Limits\n\n"
        "A model knows only its own classes: shown anything else, it still names one of them, and "
        "may be very sure of it. Times are of this machine, at this moment. A map shows what a "
        "class's score is made of; it does not say why.\n\n"
        "## Privacy\n\n"
        "A picture stays on the machine that runs the demo, is deleted within the hour, and is "
        "never written to a log. What the models said is remembered by a fingerprint of the "
        "file, so that the same file need not be computed twice; it cannot be turned back into "
        "the picture."
    ),
}
