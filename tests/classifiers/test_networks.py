import pytest
import torch

from mnist_kedro.classifiers.networks import NETWORKS, build_network

IMAGE = (28, 28)


@pytest.mark.parametrize(
    ("network", "options", "parameters"),
    [
        ("mlp", {"hidden_units": [64]}, 784 * 64 + 64 + 64 * 10 + 10),
        ("mlp", {"hidden_units": [128]}, 784 * 128 + 128 + 128 * 10 + 10),
        (
            "mlp",
            {"hidden_units": [128, 128]},
            784 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10,
        ),
        ("mlp", {"hidden_units": []}, 784 * 10 + 10),
        (
            "cnn",
            {"channels": [16, 32], "hidden_units": [128]},
            (25 + 1) * 16 + (25 * 16 + 1) * 32 + (7 * 7 * 32 + 1) * 128 + 129 * 10,
        ),
        ("cnn", {"channels": [2, 2, 2, 2], "hidden_units": []}, 52 + 3 * 102 + 30),
        ("cnn", {"channels": [2], "kernel_size": 3, "hidden_units": []}, 20 + 10 * 393),
        (
            "cnn",
            {"channels": [2, 3], "convolutions": 2, "batch_norm": True, "hidden_units": []},
            52 + 4 + (25 * 2 + 1) * 3 + 6 + (25 * 3 + 1) * 3 + 6 + 10 * (7 * 7 * 3 + 1),
        ),
        ("cnn", {"channels": [2], "batch_norm": True, "hidden_units": []}, 52 + 4 + 10 * 393),
    ],
)
def test_shape_and_parameter_count(network, options, parameters):
    built = build_network(network, options, IMAGE, 10)
    assert built(torch.zeros(3, *IMAGE)).shape == (3, 10)
    assert sum(weights.numel() for weights in built.parameters()) == parameters


@pytest.mark.parametrize("network", NETWORKS)
def test_dropout_acts_in_training_only(network):
    built = build_network(network, {"dropout": 0.9}, IMAGE, 10)
    images = torch.rand(2, *IMAGE)
    assert not torch.equal(built(images), built(images))
    built.eval()
    assert torch.equal(built(images), built(images))


@pytest.mark.parametrize("shape", [(784,), (3, 28, 28), (3, 28)])
def test_cnn_wants_images_that_survive_its_pooling(shape):
    with pytest.raises(ValueError, match="at least 4 pixels a side for the network 'cnn'"):
        build_network("cnn", {}, shape, 10)


def test_batch_norm_wants_more_than_one_pixel():
    options = {"channels": [2, 2, 2, 2], "batch_norm": True}
    with pytest.raises(ValueError, match="fewer than 4 'channels' with 'batch_norm'"):
        build_network("cnn", options, IMAGE, 10)


def test_unknown_network():
    with pytest.raises(ValueError, match="unknown network 'resnet': known are cnn, mlp"):
        build_network("resnet", {}, IMAGE, 10)
