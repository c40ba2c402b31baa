"""The architectures. To add one, write its options and its function, and list both in `NETWORKS`.

A network takes `float (n, *input_shape)` and returns logits `float (n, n_classes)`.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, PositiveInt
from torch import nn

from mnist_kedro.parameters import Parameters, UserError, unknown_name


class MlpOptions(Parameters):
    """Of a multi-layer perceptron: units per hidden layer, and the share of them dropped."""

    hidden_units: tuple[PositiveInt, ...] = (64,)
    dropout: float = Field(0.0, ge=0, lt=1)


class CnnOptions(Parameters):
    """Of a convolutional network: its convolutions, then the `mlp` behind them."""

    channels: tuple[PositiveInt, ...] = Field((16, 32), min_length=1, max_length=4)
    kernel_size: PositiveInt = 5
    convolutions: PositiveInt = 1  # before each pooling but the first, where they cost most
    batch_norm: bool = False
    hidden_units: tuple[PositiveInt, ...] = (128,)
    dropout: float = Field(0.0, ge=0, lt=1)


def mlp(input_shape: tuple[int, ...], n_classes: int, options: MlpOptions) -> nn.Sequential:
    """Build a multi-layer perceptron; one entry of `hidden_units` makes three layers in all."""
    layers: list[nn.Module] = [nn.Flatten()]  # (n, *input_shape) -> (n, units)
    units = math.prod(input_shape)
    for width in options.hidden_units:
        layers += [nn.Linear(units, width), nn.ReLU(), nn.Dropout(options.dropout)]  # (n, width)
        units = width
    return nn.Sequential(*layers, nn.Linear(units, n_classes))  # -> (n, n_classes)


def cnn(input_shape: tuple[int, ...], n_classes: int, options: CnnOptions) -> nn.Sequential:
    """Build a LeNet: per channel entry convolutions and 2x2 pooling, then an `mlp`.

    LeCun et al., 1998, "Gradient-based learning applied to document recognition", with ReLU and
    maximum pooling in place of its sigmoids and averages. The shapes are those of the defaults.

    Raises:
        UserError: The input is not images, or too small for that much pooling.
    """
    if len(input_shape) != 2 or min(input_shape) < 2 ** len(options.channels):  # noqa: PLR2004
        raise UserError(
            f"expected images (n, height, width) of at least {2 ** len(options.channels)} pixels a "
            f"side for the network 'cnn', found {('n', *input_shape)}"
        )
    height, width = input_shape
    layers: list[nn.Module] = [nn.Unflatten(1, (1, height))]  # (n, 28, 28) -> (n, 1, 28, 28)
    inputs = 1
    for block, outputs in enumerate(options.channels):
        n_convolutions = options.convolutions if block else 1
        for number in range(1, n_convolutions + 1):
            # -> (n, 16, 28, 28)
            layers += [nn.Conv2d(inputs, outputs, options.kernel_size, padding="same")]
            # Pooled first: what follows has a quarter of the numbers to look at.
            # -> (n, 16, 14, 14), then (n, 32, 7, 7)
            layers += [nn.MaxPool2d(2)] if number == n_convolutions else []
            layers += [nn.BatchNorm2d(outputs)] if options.batch_norm else []
            layers += [nn.ReLU()]
            inputs = outputs
        height, width = height // 2, width // 2
    if options.batch_norm and height == width == 1:
        raise UserError(
            f"expected fewer than {len(options.channels)} 'channels' with 'batch_norm': they leave "
            f"one pixel a channel, and a batch of one image has no variance there"
        )
    head = MlpOptions(hidden_units=options.hidden_units, dropout=options.dropout)
    return nn.Sequential(*layers, *mlp((inputs, height, width), n_classes, head))  # -> (n, 10)


NETWORKS: dict[str, tuple[type[Parameters], Any]] = {
    "mlp": (MlpOptions, mlp),
    "cnn": (CnnOptions, cnn),
}


def check_options(network: str, options: dict[str, Any]) -> Parameters:
    """Return the options of this network, typed.

    Raises:
        UserError: The name or an option is unknown, or an option is impossible.
    """
    if network not in NETWORKS:
        raise UserError(unknown_name("network", network, NETWORKS))
    return NETWORKS[network][0].model_validate(options)


def build_network(
    network: str, options: dict[str, Any], input_shape: tuple[int, ...], n_classes: int
) -> nn.Sequential:
    """Build the network of this name, with random weights.

    Raises:
        UserError: As `check_options`, or the input does not suit the network.
    """
    checked = check_options(network, options)
    built: nn.Sequential = NETWORKS[network][1](input_shape, n_classes, checked)
    return built
