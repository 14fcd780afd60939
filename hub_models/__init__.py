"""Small image classifiers (ResNet, MobileNet): create, load, classify, save.

Names are imported when first used, so that `import hub_models` does not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_models.architectures import ARCHITECTURES as ARCHITECTURES
    from hub_models.config import ModelConfig as ModelConfig
    from hub_models.config import PreprocessConfig as PreprocessConfig
    from hub_models.errors import CheckpointError as CheckpointError
    from hub_models.errors import ConfigError as ConfigError
    from hub_models.errors import HubModelsError as HubModelsError
    from hub_models.errors import ImageError as ImageError
    from hub_models.image import load_image as load_image
    from hub_models.model import ImageClassifier as ImageClassifier
    from hub_models.prediction import Prediction as Prediction
    from hub_models.runtime import Runtime as Runtime
    from hub_models.runtime import load_runtime as load_runtime
    from hub_models.weights import LoadReport as LoadReport

__version__ = "0.1.0"
_HOME = {
    "ARCHITECTURES": "architectures",
    "CheckpointError": "errors",
    "ConfigError": "errors",
    "HubModelsError": "errors",
    "ImageClassifier": "model",
    "ImageError": "errors",
    "LoadReport": "weights",
    "ModelConfig": "config",
    "Prediction": "prediction",
    "PreprocessConfig": "config",
    "Runtime": "runtime",
    "load_image": "image",
    "load_runtime": "runtime",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]  # so that names not yet imported are completed too
