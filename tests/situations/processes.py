"""The door of processes and threads: files that change, forks, pickles, containers."""

import os
from pathlib import Path

from hub_models.machine import usable_cores
from tests.situations import Situation
from tests.situations._processes import (
    CLOSED,
    after,
    copied,
    cores,
    forked,
    forked_after,
    frozen_in_part,
    homeless,
    in_training,
    load_without_cache,
    onnx_cache,
    unknown_user,
    weights_apart,
)

SAME = ("the same answer",)
CHANGED = ("changed since it was loaded; load it again",)
OVER = ("model.safetensors: written over while its weights were mapped; load it again",)
KINDS = {"classifier": "ImageClassifier", "torch": "Runtime on PyTorch", "onnx": "Runtime on ONNX"}
_FREE = usable_cores(Path(os.devnull))  # of no control group
FREE = (f"{_FREE} of {_FREE}",)

# what happens to the files, and what happened once to a classifier, which had mapped them
HARM = {
    "cp": ("written over by cp", "new weights, old labels"),
    "truncate": ("cut short", "killed (SIGBUS)"),
    "rename": ("replaced by a rename", "the same answer"),
    "rm": ("deleted", "the same answer"),
}
FILES = [
    Situation(
        f"{title} loaded, its file {done}",
        was if kind == "classifier" else "the same answer",
        after(how, kind),
        SAME,
    )
    for how, (done, was) in HARM.items()
    for kind, title in KINDS.items()
]
MAPPED = [
    Situation(f"ImageClassifier(mmap=True), its file {HARM[how][0]}", HARM[how][1],
              after(how, "classifier, mapped"), right)
    for how, right in (("cp", OVER), ("truncate", OVER), ("rename", SAME), ("rm", SAME))
]  # fmt: skip
MAPPED += [
    Situation("load_runtime(engine=torch, mmap=True), its file cut short", "the same answer",
              after("truncate", "torch, mapped"), SAME),
    Situation("an ONNX file with its weights in another file", "mapped: answers change with it",
              weights_apart, ("its weights lie in another file", "`hub-models export`")),
]  # fmt: skip
FORKS = [
    Situation(f"{title}, used, then fork", "hangs", forked(kind), SAME)
    for kind, title in KINDS.items()
]
FORKS += [
    Situation(f"{title}, fork while three threads ask", "hangs", forked(kind, busy=3), SAME)
    for kind, title in KINDS.items()
]
FORKS += [
    Situation(
        f"{title}, loaded and not used, then fork",
        "hangs, or not",
        forked(kind, used=False),
        SAME,
    )
    for kind, title in KINDS.items()
]
FORKS += [
    Situation("Runtime on ONNX, its file written over, then fork", "hangs",
              forked_after("cp", "onnx"), CHANGED),
    Situation("Runtime on ONNX, its file deleted, then fork", "hangs",
              forked_after("rm", "onnx"), ("model.onnx: gone since it was loaded",)),
    Situation("Runtime on PyTorch, its file deleted, then fork", "hangs",
              forked_after("rm", "torch"), SAME),
]  # fmt: skip
MODES = [
    Situation("four threads ask a model in train()", "wrong answers, statistics changed",
              in_training, ("0 of 8 answers wrong, 0 statistics changed, training {True}",)),
    Situation("a model frozen in part is asked between two steps", "every mode set, then set back",
              frozen_in_part, ("same answer True, modes kept True, a step shows True",)),
]  # fmt: skip
COPIES = [
    Situation(f"{title}, {how}", was, copied(kind, how), SAME)
    for kind, title, was in (
        ("classifier", KINDS["classifier"], "works"),
        ("classifier, mapped", "ImageClassifier(mmap=True)", "works"),
        ("torch", KINDS["torch"], "cannot pickle"),
        ("onnx", KINDS["onnx"], "cannot pickle"),
    )
    for how in ("pickle", "deepcopy")
]
COPIES += [
    Situation("a pickled ImageClassifier, its file gone", "works",
              copied("classifier", "pickle", "rm"), SAME),
    Situation("a pickled Runtime, its folder changed", "cannot pickle",
              copied("torch", "pickle", "cp"), ("changed since the runtime was copied",)),
    Situation("a pickled Runtime, its folder gone", "cannot pickle",
              copied("torch", "pickle", "rm"), ("came from it; it is gone",)),
    Situation("a pickled Runtime, its .onnx file changed", "cannot pickle",
              copied("onnx", "pickle", "cp"), ("changed since the runtime was copied",)),
    Situation("deepcopy of a Runtime whose folder changed", "cannot pickle",
              copied("torch", "deepcopy", "rename"), CHANGED),
]  # fmt: skip
CORES = [
    Situation("cgroup v2, cpu.max of one core", "all cores",
              cores("0::/pod\n", pod__cpu_dot_max="100000 100000"), ("1 of ",)),
    Situation("cgroup v2, half a core", "all cores",
              cores("0::/pod\n", pod__cpu_dot_max="50000 100000"), ("1 of ",)),
    Situation("cgroup v2, one core and a half", "all cores",
              cores("0::/pod\n", pod__cpu_dot_max="150000 100000"), ("1 of ",)),
    Situation("cgroup v2, max", "all cores",
              cores("0::/pod\n", pod__cpu_dot_max="max 100000"), FREE),
    Situation("cgroup v2, the quota is the parent's", "all cores",
              cores("0::/pod/box\n", pod__cpu_dot_max="100000 100000",
                    pod__box__cpu_dot_max="max 100000"), ("1 of ",)),
    Situation("cgroup v2, the group is mounted as the root", "all cores",
              cores("0::/docker/abc\n", cpu_dot_max="100000 100000"), ("1 of ",)),
    Situation("cgroup v1, one core", "all cores",
              cores("4:cpu,cpuacct:/pod\n", cpu__pod__cpu_dot_cfs_quota_us="100000",
                    cpu__pod__cpu_dot_cfs_period_us="100000"), ("1 of ",)),
    Situation("cgroup v1, no quota (-1)", "all cores",
              cores("4:cpu:/\n", cpu__cpu_dot_cfs_quota_us="-1",
                    cpu__cpu_dot_cfs_period_us="100000"), FREE),
    Situation("a group whose file is nonsense", "all cores",
              cores("0::/pod\n", pod__cpu_dot_max="lots"), FREE),
]  # fmt: skip
NOWHERE = ("cached files have no place", "set HUB_MODELS_CACHE to a folder that can")
HOMES = [
    Situation("a home that cannot be written", "an error", homeless(onnx_cache),
              ("hub_models-",)),
    Situation("the same, HUB_MODELS_CACHE set", "an error for an unknown uid",
              homeless(onnx_cache, HUB_MODELS_CACHE="FOLDER/cache"), ("cache/onnx",)),
    Situation("the same, XDG_CACHE_HOME set", "works",
              homeless(onnx_cache, XDG_CACHE_HOME="FOLDER/xdg"), ("xdg/hub_models/onnx",)),
    Situation("the same, TMPDIR closed too", "an error", homeless(onnx_cache, TMP=CLOSED),
              NOWHERE),
    Situation("load_runtime there", "an error", load_without_cache, NOWHERE),
    Situation("unknown uid without HOME", "RuntimeError: no home directory", unknown_user,
              ("hub_models-", "/onnx")),
]  # fmt: skip
SITUATIONS = (*FILES, *MAPPED, *FORKS, *MODES, *COPIES, *CORES, *HOMES)
