import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator

from mnist_kedro.classifiers import TorchClassifier
from mnist_kedro.data.sources import embedded_digits

CNN = {"network": "cnn", "network_options": {"channels": [4, 8], "hidden_units": [16]}}


@pytest.fixture(scope="module")
def digits():
    return embedded_digits()


@pytest.mark.slow
def test_scikit_learn_compatible():
    checks = check_estimator(TorchClassifier(random_state=0), on_skip=None, on_fail=None)
    assert [check for check in checks if check["status"] == "failed"] == []
    assert sum(check["status"] == "passed" for check in checks) > 40


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, CNN])
def test_learns_digits(digits, options):
    classifier = TorchClassifier(random_state=0, **options)
    classifier.fit(digits.train_images, digits.train_labels)
    assert classifier.score(digits.test_images, digits.test_labels) > 0.85


@pytest.mark.parametrize("options", [{"network_options": {"dropout": 0.5}}, CNN])
def test_same_seed_same_weights_to_the_bit(digits, options):
    first, second, other = (
        TorchClassifier(epochs=2, random_state=seed, **options)
        .fit(digits.train_images, digits.train_labels)
        .predict_proba(digits.test_images)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_networks_that_are_fitted_in_threads_do_not_share_random_numbers(digits):
    def fit(seed):
        options = {"epochs": 2, "random_state": seed, "network_options": {"dropout": 0.5}}
        classifier = TorchClassifier(**options).fit(digits.train_images, digits.train_labels)
        return classifier.predict_proba(digits.test_images)

    with ThreadPoolExecutor(3) as threads:
        side_by_side = list(threads.map(fit, range(3)))
    np.testing.assert_array_equal(side_by_side, list(map(fit, range(3))))


def test_same_seed_same_pickle_to_the_bit_whatever_it_took(digits):
    images, labels = digits.train_images[:200], digits.train_labels[:200]
    first, second, other = (
        TorchClassifier(epochs=2, random_state=seed).fit(images, labels, after_epoch=after)
        for seed, after in ((1, None), (1, lambda _: time.sleep(0.01)), (2, None))
    )
    assert first.history_ != second.history_
    assert pickle.dumps(first) == pickle.dumps(second) != pickle.dumps(other)
    rows = pickle.loads(pickle.dumps(first)).history_
    assert [set(row) for row in rows] == [{"epoch", "loss", "train_accuracy"}] * 2


def test_the_optimizer_which_may_import_for_seconds_is_made_before_the_first_epoch_is_timed():
    """In a process of its own: the import is the first one only there."""
    script = (
        "import sys, torch\n"
        "from mnist_kedro.classifiers.items import Items\n"
        "from mnist_kedro.classifiers.training import Recipe, train_epochs\n"
        "network, cpu = torch.nn.Linear(3, 2), torch.device('cpu')\n"
        "recipe = Recipe(1, 2, 0.1, 0.0, 0.0, None, 'float32')\n"
        "items, targets = Items(torch.ones(4, 3).numpy(), cpu), torch.zeros(4, dtype=torch.int64)\n"
        "epochs = train_epochs(network, items, targets, recipe)\n"
        "before = set(sys.modules)\n"
        "next(epochs)\n"
        "print([name for name in set(sys.modules) - before if name.startswith('torch._dynamo')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_fitting_leaves_the_global_random_numbers_alone(digits):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    TorchClassifier(epochs=1).fit(digits.train_images[:200], digits.train_labels[:200])
    assert torch.equal(torch.rand(3), expected)


def test_uint8_is_scaled_as_float_would_be(digits):
    images, labels = digits.train_images[:300], digits.train_labels[:300]
    raw = TorchClassifier(epochs=1, random_state=0).fit(images, labels)
    scaled = TorchClassifier(epochs=1, random_state=0).fit(images / np.float32(255), labels)
    np.testing.assert_allclose(
        raw.predict_proba(images), scaled.predict_proba(images / np.float32(255)), atol=1e-5
    )


def test_read_only_memory_maps_are_read(digits, tmp_path):
    np.save(tmp_path / "images.npy", digits.train_images)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    expected = TorchClassifier(epochs=1, random_state=0).fit(
        digits.train_images, digits.train_labels
    )
    mapped = TorchClassifier(epochs=1, random_state=0).fit(images, digits.train_labels)
    np.testing.assert_array_equal(mapped.predict_proba(images), expected.predict_proba(images))


def test_augmentation_changes_what_is_learned_in_the_same_way_each_time(digits):
    options = {"epochs": 2, "random_state": 0}
    train, images = (digits.train_images, digits.train_labels), digits.test_images
    plain, first, second = (
        TorchClassifier(augmentation=augmentation, **options).fit(*train).predict_proba(images)
        for augmentation in (None, {"rotation": 10.0}, {"rotation": 10.0})
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(plain, first)


def test_augmentation_wants_images(digits):
    features = digits.train_images.reshape(len(digits.train_images), -1)
    with pytest.raises(ValueError, match=r"expected images .* 'augmentation', found \(\d+, 784"):
        TorchClassifier(augmentation={"rotation": 10.0}).fit(features, digits.train_labels)


def test_label_smoothing_makes_less_confident(digits):
    train = digits.train_images, digits.train_labels
    sharp, smooth = (
        TorchClassifier(label_smoothing=share, random_state=0).fit(*train).predict_proba(train[0])
        for share in (0.0, 0.2)
    )
    assert smooth.max(axis=1).mean() < sharp.max(axis=1).mean() - 0.1


@pytest.mark.parametrize("options", [{}, CNN])
def test_half_the_precision_learns_as_well_and_as_reproducibly(digits, options):
    train, test = (digits.train_images, digits.train_labels), digits.test_images
    options = options | {"epochs": 2, "random_state": 0}
    whole, half, again = (
        TorchClassifier(precision=precision, **options).fit(*train)
        for precision in ("float32", "bfloat16", "bfloat16")
    )
    np.testing.assert_array_equal(half.predict_proba(test), again.predict_proba(test))
    difference = np.abs(half.predict_proba(test) - whole.predict_proba(test))
    assert 0 < difference.mean() < 0.05
    assert {w.dtype for w in half.network_.state_dict().values()} == {torch.float32}


def test_history_has_a_row_per_epoch_and_watching_changes_nothing(digits):
    train = digits.train_images, digits.train_labels
    test = digits.test_images, digits.test_labels
    watched = TorchClassifier(epochs=3, random_state=0).fit(*train, validation_data=test)
    alone = TorchClassifier(epochs=3, random_state=0).fit(*train)
    assert [row["epoch"] for row in watched.history_] == [1, 2, 3]
    assert watched.history_[-1]["validation_accuracy"] == watched.score(*test)
    assert watched.history_[0]["loss"] > watched.history_[-1]["loss"]
    assert watched.history_[0]["seconds"] < watched.history_[-1]["seconds"]
    assert [row["loss"] for row in alone.history_] == [row["loss"] for row in watched.history_]
    assert "validation_accuracy" not in alone.history_[0]
    np.testing.assert_array_equal(alone.predict_proba(test[0]), watched.predict_proba(test[0]))


@pytest.mark.slow
def test_pickle_holds_numpy_weights_and_predicts_the_same_in_another_process(digits, tmp_path):
    classifier = TorchClassifier(epochs=1, random_state=0, **CNN)
    classifier.fit(digits.train_images, digits.train_labels)
    content = pickle.dumps(classifier)
    assert b"torch" not in content.replace(b"mnist_kedro.classifiers.torch_classifier", b"")
    (tmp_path / "model.pkl").write_bytes(content)
    np.save(tmp_path / "images.npy", digits.test_images)
    script = (
        "import pickle, numpy as np; model = pickle.load(open('model.pkl', 'rb'));"
        "np.save('labels.npy', model.predict(np.load('images.npy')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    labels = np.load(tmp_path / "labels.npy")
    np.testing.assert_array_equal(labels, classifier.predict(digits.test_images))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"network": "resnet"}, "unknown network 'resnet'"),
        ({"network_options": {"dropout": 1.0}}, "'dropout' should be less than 1, found 1.0"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"augmentation": {"shift": -1}}, "'shift' should be greater than or equal to 0, found -1"),
        ({"precision": "half"}, "'precision' to be auto, float32 or bfloat16, found 'half'"),
        ({"device": "gpu"}, "expected 'device' to be auto, cpu or cuda, found 'gpu'"),
    ],
)
def test_impossible_settings_are_refused(digits, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        TorchClassifier(**options).fit(digits.train_images, digits.train_labels)


def test_a_model_from_a_gpu_is_loaded_on_the_cpu_and_draws_no_random_numbers(digits):
    classifier = TorchClassifier(epochs=1, random_state=0)
    classifier.fit(digits.train_images, digits.train_labels)
    expected = classifier.predict_proba(digits.test_images)
    content = pickle.dumps(classifier.set_params(device="cuda"))
    torch.manual_seed(0)
    random = torch.rand(1)
    torch.manual_seed(0)
    loaded = pickle.loads(content)
    assert torch.equal(torch.rand(1), random)
    if not torch.cuda.is_available():
        np.testing.assert_array_equal(loaded.predict_proba(digits.test_images), expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none(digits):
    with pytest.raises(ValueError, match="expected a CUDA device for 'device: cuda', found none"):
        TorchClassifier(device="cuda").fit(digits.train_images, digits.train_labels)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 27, 28), np.uint8), ((2, 28, 27), np.uint8), ((2, 28, 28), float)]
)
def test_items_unlike_those_in_fit_are_refused(digits, shape, dtype):
    classifier = TorchClassifier(epochs=1).fit(digits.train_images, digits.train_labels)
    with pytest.raises(ValueError, match="expect"):
        classifier.predict(np.zeros(shape, dtype))


def test_divergence_is_reported(digits):
    with pytest.raises(FloatingPointError, match="lower 'learning_rate', which is 1e\\+30"):
        TorchClassifier(learning_rate=1e30).fit(digits.train_images, digits.train_labels)
