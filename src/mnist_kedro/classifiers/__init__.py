"""Classifiers: scikit-learn estimators that take raw `uint8` images `(n, 28, 28)`."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from mnist_kedro.classifiers.deskew import Deskew
    from mnist_kedro.classifiers.torch_classifier import TorchClassifier

__all__ = ["Deskew", "TorchClassifier"]

# Imported, and scikit-learn or PyTorch with them, when first used.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={"deskew": ["Deskew"], "torch_classifier": ["TorchClassifier"]},
)
