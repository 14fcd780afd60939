"""ImageClassifier: a backbone, global average pooling and one linear head, with its config."""

import copy
import pickle
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self, SupportsIndex, TypeVar, overload

import torch
from torch import Tensor, nn

from hub_models import hub
from hub_models.architectures import Architecture, find_architecture, imagenet_weights
from hub_models.config import MAX_LABELS, ModelConfig, PreprocessConfig, abbreviated, check_labels
from hub_models.destination import Destination
from hub_models.errors import ConfigError, named
from hub_models.fold import evaluating
from hub_models.forking import expect_torch_in_children, forward_pass
from hub_models.image import ImageSource, batched, is_single, load_image, name_of
from hub_models.machine import temporary_folder
from hub_models.prediction import Prediction, check_top, rank
from hub_models.preprocess import preprocess
from hub_models.publish import Pushed, push
from hub_models.tensor_file import read_tensors
from hub_models.unchanged import Watch, take_stamp
from hub_models.weights import LoadReport, disk_names, fit, summed_over_colours, torchvision_names

Model = TypeVar("Model", bound=nn.Module)
FREEZE_MODES: Final = ("head", "last_stage", "none")
_DTYPES: Final = (torch.float32, torch.float16, torch.bfloat16, torch.float64)  # it computes in
_BATCH_SIZE: Final = 32  # images per forward pass in `classify`: bounds its memory


class ImageClassifier(nn.Module):
    """A small convolutional image classifier that travels with its labels and preprocessing.

    Made by `create` (a new head) or `from_pretrained` (a published model), not directly.

    Attributes:
        config: Architecture, label names, preprocessing, origin and results.
        report: What became of every weight when it was loaded.
        revision: The hub commit it came from; None otherwise.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        architecture = find_architecture(config.architecture)
        _check_against(config, architecture)
        self.config = config
        self.report = LoadReport()
        self.revision: str | None = None
        self.backbone = architecture.backbone(config.stem, config.preprocess.channels)
        self.dropout = nn.Dropout(config.drop_rate)
        self.head = nn.Linear(config.num_features, len(config.label_names))
        self._frozen: tuple[nn.Module, ...] = ()
        self._watch = Watch(None)
        expect_torch_in_children()
        if not self.head.weight.is_meta:
            _initialise_head(self.head)

    @classmethod
    def create(
        cls,
        architecture: str,
        labels: Iterable[str],
        *,
        weights: str | Path | None = None,
        preprocess: PreprocessConfig | None = None,
        stem: str = "imagenet",
        channels: int | None = None,
    ) -> Self:
        """Make a classifier with a new head.

        Args:
            architecture: timm's name, such as "resnet18".
            labels: Class names in the order of the targets, at least one, no two equal.
            weights: Where the backbone comes from: None for random numbers, "imagenet" for
                torchvision's best ImageNet weights, else a folder or repo_id.
            preprocess: What images go through; that of the weights if None. Its mean and std
                should be those of the weights.
            stem: "imagenet", or "small" for images under about 64 px.
            channels: 3 for RGB, 1 for grey; those of `preprocess` or of the weights if None. For
                1, the first convolution of RGB weights is summed over the colours.

        Returns:
            The classifier in training mode, nothing frozen.

        Raises:
            ConfigError: If a name is not known, or there are no such weights.
            CheckpointError: If the weights cannot be fetched or do not fit.
        """
        known = find_architecture(architecture)
        config = ModelConfig(
            architecture=architecture,
            label_names=_checked_labels(labels),
            num_features=known.num_features,
            first_conv=known.first_conv,
            classifier=known.classifier,
            preprocess=_chosen(preprocess, PreprocessConfig(), channels),
            drop_rate=known.drop_rate,
            stem=stem,
        )
        if weights is None:
            return cls(config)
        if weights == "imagenet":
            return cls._with_imagenet_backbone(config, preprocess, channels)
        return cls._with_backbone_of(config, weights, preprocess, channels)

    @classmethod
    def from_pretrained(  # noqa: PLR0913  # what users of from_pretrained elsewhere expect
        cls,
        source: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        dtype: torch.dtype | None = None,
        device: str | torch.device | None = None,
        label_names: Iterable[str] | None = None,
        ignore_mismatched_head: bool = False,
        mmap: bool = False,
    ) -> Self:
        """Load a published classifier.

        Args:
            source: A folder, or a repo_id "owner/name", or "owner/name@revision".
            revision: Branch, tag or commit on the hub; the default branch if None.
            token: As in huggingface_hub.
            cache_dir: As in huggingface_hub.
            local_files_only: Use the cache alone.
            force_download: Fetch again what the cache holds.
            dtype: Of the weights in memory, such as torch.bfloat16; float32 if None.
            device: Where they go, such as "cuda"; the CPU if None.
            label_names: Other names for the classes, in the order of the logits.
            ignore_mismatched_head: Where `label_names` are other classes than the checkpoint's,
                put a fresh head for them in the place of its own.
            mmap: Map the weights' file instead of copying it, so that processes share its memory;
                only where they stay float32 and on the CPU. Danger: whoever writes into the file
                changes this model, and whoever shortens it kills this process. What was written
                before a pass is refused by it, what is written during one is not seen. Replace
                such a file by a rename, as `save_pretrained` does.

        Returns:
            The classifier in evaluation mode; `report` names every weight.

        Raises:
            ConfigError: If config.json is missing or wrong, `label_names` are not as many as the
                checkpoint has, or arguments exclude each other.
            CheckpointError: If the source cannot be found, or a weight is missing, left over or of
                another shape.
        """
        found = hub.resolve(
            source,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            force_download=force_download,
        )
        config = hub.read_config(found.folder)
        if label_names is not None or ignore_mismatched_head:
            config, new_head = _relabelled(config, source, label_names, ignore_mismatched_head)
        else:
            new_head = False
        if not config.label_names:
            raise ConfigError(
                f"{source}: a backbone without a head (num_classes 0); "
                "give it one by ImageClassifier.create(..., weights=FOLDER)"
            )
        with named(found.folder / hub.CONFIG_FILE), torch.device("meta"):
            model = cls(config)
        if new_head:
            model.head = nn.Linear(config.num_features, len(config.label_names))
            _initialise_head(model.head)
        stays = dtype in (None, torch.float32) and str(device or "cpu") == "cpu"
        model._load(found.folder, new_head=new_head, mmap=mmap and stays)
        model.revision = found.revision
        _place(model, dtype, device)
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the classifier as a folder that hub_models, timm and transformers read.

        Args:
            folder: Made if missing; each of its files is replaced whole or not at all.

        Raises:
            CheckpointError: If it cannot be written.
        """
        self._watch()
        state = self.state_dict()
        names = disk_names(self.config.architecture, list(state))
        tensors = {  # float32, whatever they are here: readers differ on half precision
            names[name]: (tensor.float() if tensor.is_floating_point() else tensor).detach().cpu()
            for name, tensor in state.items()
        }
        hub.write_folder(Path(folder), self.config, tensors)

    def push_to_hub(  # noqa: PLR0913  # what users of push_to_hub elsewhere expect
        self,
        repo_id: str,
        *,
        private: bool = False,
        revision: str | None = None,
        create_pr: bool = False,
        commit_message: str | None = None,
        token: str | bool | None = None,
        dry_run: bool = False,
    ) -> Pushed:
        """Publish the classifier in one commit; the repository and the branch are made if missing.

        A README.md that somebody wrote on the hub is kept: metadata it lacks and the measured
        results are merged in.

        Args:
            repo_id: "owner/name".
            private: Make a new repository private; refuse one that is public.
            revision: Branch; the default branch if None.
            create_pr: Open a pull request instead of changing the branch.
            commit_message: First line of the commit.
            token: As in huggingface_hub.
            dry_run: Only say which files would change; nothing is written.

        Returns:
            What was done, with `commit_url`.

        Raises:
            ConfigError: If arguments exclude each other.
            CheckpointError: If a weight is NaN or infinite, or the hub refuses or cannot be
                reached.
        """
        destination = Destination(repo_id, private, revision, create_pr, token)
        with tempfile.TemporaryDirectory(dir=temporary_folder()) as aside:
            self.save_pretrained(aside)
            return push(Path(aside), destination, message=commit_message, dry_run=dry_run)

    def feature_map(self, batch: Tensor) -> Tensor:
        """Compute what the head's global average pooling sees.

        Args:
            batch: float32 (N, 3, S, S), or (N, 1, S, S) for a grey model; preprocessed.

        Returns:
            (N, K, h, w); h = w = S / 32 for the "imagenet" stem.
        """
        features: Tensor = self.backbone(batch)
        return features

    def forward(self, batch: Tensor) -> Tensor:
        """Compute logits.

        Args:
            batch: float32 (N, 3, S, S), or (N, 1, S, S) for a grey model; preprocessed.

        Returns:
            (N, C) logits, in the order of `config.label_names`.
        """
        pooled = self.feature_map(batch).mean(dim=(2, 3))  # (N, K)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits

    @overload
    def classify(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too: first one wins
        self, images: ImageSource, *, top: int | None = ...
    ) -> list[Prediction]: ...

    @overload
    def classify(  # type: ignore[overload-overlap]  # an iterator is an iterable too
        self, images: Iterator[ImageSource], *, top: int | None = ...
    ) -> Iterator[list[Prediction]]: ...

    @overload
    def classify(
        self, images: Iterable[ImageSource], *, top: int | None = ...
    ) -> list[list[Prediction]]: ...

    def classify(
        self, images: ImageSource | Iterable[ImageSource], *, top: int | None = None
    ) -> list[Prediction] | list[list[Prediction]] | Iterator[list[Prediction]]:
        """Say what is in one picture, or in each of several.

        Args:
            images: One picture, as `load_image` takes it (path, bytes, file object, PIL image,
                uint8 array or tensor); or any iterable of them, such as an array (N, H, W, 3).
            top: How many predictions per picture, at least 1; all classes if None.

        Returns:
            Predictions, the most probable first. For an iterable, a list with one such list per
            picture; for an iterator (a generator, `map`), an iterator of them, which takes and
            answers 32 pictures at a time.

        Raises:
            ImageError: If a picture cannot be read; the message names it.
            ConfigError: If `top` is no whole number of at least 1.
        """
        check_top(top)
        if is_single(images):
            return self._classify([self.pixels(images)], top)[0]
        answers = self._answers(images, top)  # type: ignore[arg-type]  # an iterable by now
        return answers if isinstance(images, Iterator) else list(answers)

    def pixels(self, image: ImageSource, *, name: str | None = None) -> Tensor:
        """Decode and preprocess one picture for this model.

        Args:
            image: One picture, as `load_image` takes it.
            name: What error messages call it; its file's name if None.

        Returns:
            float32 (3, S, S), or (1, S, S) for a grey model; on the CPU.

        Raises:
            ImageError: If the picture cannot be read.
        """
        return torch.from_numpy(preprocess(load_image(image, name=name), self.config.preprocess))

    def freeze(self, mode: str, *, batch_norm: bool = False) -> None:
        """Choose what training may change; the rest stays bit-equal, running statistics included.

        `requires_grad` alone is not enough: `train()` would put frozen batch norms back to updating
        their running statistics (pytorch/pytorch#66073). So `train()` keeps frozen parts in
        evaluation mode.

        Args:
            mode: "head" trains the head alone; "last_stage" the head and the last resolution
                stage of the backbone; "none" freezes nothing.
            batch_norm: Keep the running statistics of every batch norm as they are, even
                where the weights train; gentler when fine-tuning with small batches.

        Raises:
            ConfigError: If `mode` is none of the three.
        """
        if mode not in FREEZE_MODES:
            raise ConfigError(f"freeze must be one of {', '.join(FREEZE_MODES)}, not {mode!r}")
        stages = dict(self.backbone.named_children())
        names = list(stages)
        last = names.index(find_architecture(self.config.architecture).last_stage)
        frozen_count = {"head": len(names), "last_stage": last, "none": 0}[mode]
        frozen = [stages[name] for name in names[:frozen_count]]
        self.requires_grad_(True)
        for module in frozen:
            module.requires_grad_(False)
        if batch_norm:
            frozen += [m for m in self.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        self._frozen = tuple(frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training mode, frozen parts staying in evaluation mode.

        Args:
            mode: True for training, False for evaluation.

        Returns:
            self.
        """
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Pickle the weights by value, unless `share_memory()` was called.

        PyTorch would hand them to another process through shared memory, a file each: too many for
        a fork server, and too large for a container's 64 MB.
        """
        if torch.Tensor.is_shared(self.head.weight):  # type: ignore[no-untyped-call]
            return super().__reduce_ex__(protocol)
        return _unpickled, (type(self), pickle.dumps(self._state(), int(protocol)))

    def __copy__(self) -> Self:
        """Copy with the weights shared, as modules do."""
        copied = object.__new__(type(self))
        vars(copied).update(self._state())
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy without a pickle, as modules do."""
        copied = memo[id(self)] = object.__new__(type(self))
        vars(copied).update(copy.deepcopy(self._state(), memo))
        return copied

    def _state(self) -> dict[str, Any]:
        self._watch()
        return vars(self) | {"_compiled_call_impl": None}  # made of this very object

    def _answers(
        self, images: Iterable[ImageSource], top: int | None
    ) -> Iterator[list[Prediction]]:
        pixels = (
            self.pixels(image, name=name_of(image, f"image {number}"))
            for number, image in enumerate(images)
        )
        for batch in batched(pixels, _BATCH_SIZE):
            yield from self._classify(batch, top)

    @torch.inference_mode()
    def _classify(self, pixels: list[Tensor], top: int | None) -> list[list[Prediction]]:
        config, batch = self.config, torch.stack(pixels)
        network = evaluating(self)
        with forward_pass():
            logits = network(batch.to(self.head.weight)).float().cpu().numpy()  # (N, C)
        return [
            rank(row, config.label_names, top=top, temperature=config.temperature) for row in logits
        ]

    @classmethod
    def _with_imagenet_backbone(
        cls, config: ModelConfig, preprocess: PreprocessConfig | None, channels: int | None
    ) -> Self:
        tensors, theirs, title = imagenet_weights(config.architecture)
        chosen = _chosen(preprocess, theirs, channels)
        origin = {"start": f"ImageNet-1k weights of torchvision ({title})"}
        model = cls(replace(config, preprocess=chosen, origin=origin))
        names = torchvision_names(config.architecture, list(model.state_dict()))
        if chosen.channels < theirs.channels:
            tensors = summed_over_colours(tensors, names)
        model.report = fit(model, tensors, names, new_head=True)
        return model

    @classmethod
    def _with_backbone_of(
        cls,
        config: ModelConfig,
        weights: str | Path,
        preprocess: PreprocessConfig | None,
        channels: int | None,
    ) -> Self:
        found = hub.resolve(weights)
        folder = found.folder
        theirs = hub.read_config(folder)
        for key in ("architecture", "stem"):
            if getattr(theirs, key) != getattr(config, key):
                raise ConfigError(
                    f"{weights}: {key} is {getattr(theirs, key)!r}, "
                    f"{getattr(config, key)!r} was asked for"
                )
        with named(Path(weights)):
            chosen = _chosen(preprocess, theirs.preprocess, channels)
        name = f"{weights} ({found.revision})" if found.revision else folder.resolve().name
        config = replace(
            config,
            preprocess=chosen,
            origin={"start": f"the backbone of {name}"},
            trained_on=theirs.trained_on,
        )
        model = cls(config)
        is_less = chosen.channels < theirs.preprocess.channels
        model._load(folder, new_head=True, sums_colours=is_less)
        return model

    def _load(
        self, folder: Path, *, new_head: bool, sums_colours: bool = False, mmap: bool = False
    ) -> None:
        path = hub.weights_path(folder)
        stamp = take_stamp(path)
        names = disk_names(self.config.architecture, list(self.state_dict()))
        tensors = read_tensors(path, mmap=mmap)
        if sums_colours:
            tensors = summed_over_colours(tensors, names)
        with named(path):
            self.report = fit(self, tensors, names, new_head=new_head)
        if mmap:
            self._watch = Watch(stamp)
            self.backbone.register_forward_pre_hook(self._watch)


def _unpickled(kind: type[Model], state: bytes) -> Model:
    model = object.__new__(kind)
    vars(model).update(pickle.loads(state))
    return model


def _chosen(
    preprocess: PreprocessConfig | None, theirs: PreprocessConfig, channels: int | None
) -> PreprocessConfig:
    """Give the preprocessing asked for, else that of the weights, in the channels asked for."""
    chosen = preprocess or theirs
    if channels is not None:
        chosen = chosen.in_channels(channels)
    if chosen.channels > theirs.channels:
        raise ConfigError("preprocess gives RGB pixels, the weights are of grey ones")
    return chosen


def _relabelled(
    config: ModelConfig, source: str | Path, label_names: Iterable[str] | None, new_if_other: bool
) -> tuple[ModelConfig, bool]:
    """Give the config with the labels asked for, and whether they need a fresh head."""
    if label_names is None:
        raise ConfigError("ignore_mismatched_head needs label_names: what is the fresh head for?")
    labels = _checked_labels(label_names)
    if new_if_other and labels != config.label_names:
        config = replace(config, results={}, temperature=1.0)  # measured with the other head
        name = Path(source).resolve().name if Path(source).is_dir() else source
        origin = {"start": f"the backbone of {name}"}
        return replace(config, label_names=labels, origin=origin), True
    if len(labels) != len(config.label_names):
        raise ConfigError(
            f"{source}: {len(labels)} label_names were given, the checkpoint's head has "
            f"{len(config.label_names)}; ignore_mismatched_head=True puts a fresh head there"
        )
    return replace(config, label_names=labels), False


def _place(model: nn.Module, dtype: torch.dtype | None, device: str | torch.device | None) -> None:
    if dtype is not None and dtype not in _DTYPES:
        known = ", ".join(map(str, _DTYPES))
        raise ConfigError(f"dtype must be one of {known}, not {dtype!r:.60}")
    try:
        model.to(device=device, dtype=dtype)
    except (RuntimeError, AssertionError) as error:  # an assertion: PyTorch built without CUDA
        reason = str(error).split("\n", 1)[0]
        raise ConfigError(f"device {str(device)!r} cannot be used here ({reason})") from error


def _initialise_head(head: nn.Linear) -> None:
    # Small and centred, as torchvision's MobileNetV2: a new head then hardly disturbs the backbone.
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)


def _checked_labels(labels: Iterable[str]) -> tuple[str, ...]:
    unordered = (str, bytes, Mapping, set, frozenset)
    try:
        found = () if isinstance(labels, unordered) else tuple(islice(labels, MAX_LABELS + 1))
    except TypeError:  # no iterable, or an array of no dimension
        found = ()
    if not found:
        raise ConfigError(
            "labels must be at least one class name, in the order of the targets, such as "
            f'["cat", "dog"], not {abbreviated(labels)}'
        )
    names = tuple(str(label) if isinstance(label, str) else label for label in found)  # not numpy's
    check_labels(names)
    return names


def _check_against(config: ModelConfig, architecture: Architecture) -> None:
    for key in ("num_features", "first_conv", "classifier"):
        theirs, ours = getattr(config, key), getattr(architecture, key)
        if theirs != ours:
            raise ConfigError(f"{key} is {abbreviated(theirs)}; {config.architecture} has {ours!r}")
