"""Classifiers: scikit-learn estimators that take raw `uint8` images `(n, 28, 28)`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_kedro.classifiers.torch_classifier import TorchClassifier

__all__ = ["TorchClassifier"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (as PEP 562 has it)
    """Import `TorchClassifier`, and scikit-learn with it, when it is first asked for."""
    if name == "TorchClassifier":
        from mnist_kedro.classifiers.torch_classifier import TorchClassifier

        return TorchClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
