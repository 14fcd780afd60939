"""Pooled features to a linear head for other classes, by logistic regression."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from hub_models.errors import ConfigError
from training.teacher import make_head

_FOLDS: Final = 3
_STRENGTHS: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of the fit against the penalty, for C


def fit_head(features: Tensor, targets: Sequence[int], label_names: Sequence[str]) -> nn.Linear:
    """Fit a linear head to frozen features.

    The penalty is the one of the best cross-entropy in cross-validation: what a teacher says must
    be probable, not only right.

    Args:
        features: float32 (N, K), pooled, on the CPU.
        targets: N class indices.
        label_names: C, in the order of the targets.

    Returns:
        The frozen head, of features as they are: their scaling is part of its weights.

    Raises:
        ConfigError: If a class has too few images.
    """
    counts = np.bincount(np.asarray(targets), minlength=len(label_names))
    rarest = int(counts.argmin())
    if len(label_names) < 2 or counts[rarest] < _FOLDS:
        raise ConfigError(
            f"teacher: a head for its features needs two classes or more with at least {_FOLDS} "
            f"training pictures each; {label_names[rarest]!r} has {counts[rarest]}"
        )
    scaler = StandardScaler().fit(features.numpy())
    search = GridSearchCV(
        LogisticRegression(max_iter=1000), {"C": _STRENGTHS}, scoring="neg_log_loss", cv=_FOLDS
    )
    fitted = search.fit(scaler.transform(features.numpy()), targets).best_estimator_
    weight, bias = fitted.coef_, fitted.intercept_
    if len(label_names) == 2:  # scikit-learn gives the second class's logit minus the first's
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scaler.scale_
    bias = bias - weight @ scaler.mean_
    return make_head(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())
