"""Pickles of networks that any device can load, equal for equal networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from mnist_kedro.classifiers.by_epochs import EpochClassifier
from mnist_kedro.classifiers.training import find_device


class PortableNetwork(EpochClassifier, ABC):
    """For an estimator with `network_`, which its `_build_network` makes anew from its settings."""

    device: str
    network_: torch.nn.Module

    @abstractmethod
    def _build_network(self, device: torch.device) -> None:
        """Set `network_` to a network with random weights."""

    def __getstate__(self) -> dict[str, Any]:
        """Put the weights into the pickle as NumPy arrays."""
        state = super().__getstate__()
        if network := state.pop("network_", None):
            state["weights_"] = {name: w.cpu().numpy() for name, w in network.state_dict().items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of an earlier version knows fewer hyperparameters.
        state = type(self)().get_params() | state
        weights = state.pop("weights_", None)
        super().__setstate__(state)
        if weights is not None:
            # What was trained on a GPU runs on the CPU where there is none.
            device = find_device(self.device if torch.cuda.is_available() else "cpu")
            with torch.random.fork_rng(devices=[]):
                self._build_network(device)
            self.network_.load_state_dict({k: torch.from_numpy(w) for k, w in weights.items()})
