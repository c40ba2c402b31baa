import pickle
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import cpu_count
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_kedro.classifiers import TorchClassifier
from mnist_kedro.classifiers.training import find_device
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.idx import idx_header, read_idx
from mnist_kedro.parameters import UserError

DIGITS = embedded_digits()
TRAIN = DIGITS.train_images, DIGITS.train_labels
IMAGES, LABELS = TEST = DIGITS.test_images, DIGITS.test_labels
CNN = {"network": "cnn", "network_options": {"channels": [4, 8], "hidden_units": [16]}}
DROPOUT = {"network_options": {"dropout": 0.5}}


def fit(data=TRAIN, *, validation_data=None, after_epoch=None, **options):
    classifier = TorchClassifier(**{"epochs": 2, "random_state": 0} | options)
    return classifier.fit(*data, validation_data, after_epoch)


@pytest.mark.slow
@parametrize_with_checks([TorchClassifier(random_state=0)])
def test_scikit_learn_compatible(estimator, check):
    assert check(estimator) is None  # else it raises


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, CNN])
def test_learns_digits(options):
    assert fit(epochs=10, **options).score(*TEST) > 0.85


@pytest.mark.parametrize("options", [DROPOUT, CNN, {"augmentation": {"rotation": 10.0}}])
def test_same_seed_same_weights_to_the_bit(options):
    first, second, other = (
        fit(random_state=seed, **options).predict_proba(IMAGES) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_networks_that_are_fitted_in_threads_do_not_share_random_numbers():
    def probabilities(seed):
        return fit(random_state=seed, **DROPOUT).predict_proba(IMAGES)

    with ThreadPoolExecutor(3) as threads:
        at_once = list(threads.map(probabilities, range(3)))
    np.testing.assert_array_equal(at_once, list(map(probabilities, range(3))))


def test_same_seed_same_pickle_to_the_bit_whatever_it_took():
    first, second, other = (
        fit(random_state=seed, after_epoch=after)
        for seed, after in ((1, None), (1, lambda _: time.sleep(0.01)), (2, None))
    )
    assert first.history_ != second.history_
    assert pickle.dumps(first) == pickle.dumps(second) != pickle.dumps(other)
    rows = pickle.loads(pickle.dumps(first)).history_
    assert [set(row) for row in rows] == [{"epoch", "train_loss", "train_accuracy"}] * 2


def test_fitting_leaves_the_global_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    fit()
    assert torch.equal(torch.rand(3), expected)


def test_uint8_is_scaled_as_float_would_be():
    scaled = IMAGES / np.float32(255)
    raw = fit((IMAGES, LABELS)).predict_proba(IMAGES)
    np.testing.assert_allclose(raw, fit((scaled, LABELS)).predict_proba(scaled), atol=1e-5)


def test_a_mapped_file_gives_the_same_as_an_array_and_no_warning(tmp_path):
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(idx_header(TRAIN[0].shape) + TRAIN[0].tobytes())
    images = read_idx(path, (28, 28))
    with warnings.catch_warnings(action="error"):
        mapped = fit((images, TRAIN[1])).predict_proba(images)
    np.testing.assert_array_equal(mapped, fit().predict_proba(TRAIN[0]))


def test_augmentation_changes_what_is_learned_and_wants_images():
    augmentation = {"rotation": 10.0}
    changed = fit(augmentation=augmentation).predict_proba(IMAGES)
    assert not np.array_equal(changed, fit().predict_proba(IMAGES))
    with pytest.raises(ValueError, match=r"expected images .* 'augmentation', found \(\d+, 784"):
        fit((TRAIN[0].reshape(len(TRAIN[0]), -1), TRAIN[1]), augmentation=augmentation)


def test_label_smoothing_makes_less_confident():
    sharp, smooth = (
        fit(label_smoothing=share, epochs=10).predict_proba(IMAGES).max(axis=1).mean()
        for share in (0.0, 0.2)
    )
    assert smooth < sharp - 0.1


@pytest.mark.parametrize(("n_jobs", "threads"), [(1, 1), (None, 2), (1_000, cpu_count())])
def test_a_fit_takes_as_many_threads_as_it_is_given(n_jobs, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen = []
    fit(n_jobs=n_jobs, after_epoch=lambda _: seen.append(torch.get_num_threads()))
    assert seen == [threads] * 2
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_cpu_always_trains_in_float32_and_says_so(caplog):
    whole, half = (fit(precision=precision, **CNN) for precision in ("float32", "bfloat16"))
    (warning,) = caplog.messages
    assert warning == "'precision: bfloat16' is for CUDA: on this CPU it trains in float32."
    np.testing.assert_array_equal(half.predict_proba(IMAGES), whole.predict_proba(IMAGES))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("options", [{}, CNN])
def test_half_the_precision_learns_as_well_on_cuda(options):
    whole, half = (fit(precision=precision, **options) for precision in ("float32", "bfloat16"))
    difference = np.abs(half.predict_proba(IMAGES) - whole.predict_proba(IMAGES))
    assert 0 < difference.mean() < 0.05
    assert {w.dtype for w in half.network_.state_dict().values()} == {torch.float32}


def test_convolutions_predict_with_all_their_bits_on_every_device():
    classifier, seen = fit(**CNN), []
    classifier.network_.register_forward_pre_hook(
        lambda *_: seen.append(torch.backends.cudnn.allow_tf32)
    )
    before = torch.backends.cudnn.allow_tf32
    classifier.predict(IMAGES)
    assert set(seen) == {False}
    assert torch.backends.cudnn.allow_tf32 == before


def test_looking_for_a_gpu_does_not_start_cuda(monkeypatch):
    """A forked process could not use it then."""
    monkeypatch.setattr(torch.cuda, "is_available", None)
    assert find_device("auto").type in ("cpu", "cuda")


def test_history_has_a_row_per_epoch_and_watching_changes_nothing():
    rows = []
    watched = fit(epochs=3, validation_data=TEST, after_epoch=rows.append)
    alone = fit(epochs=3)
    assert watched.history_ == rows
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["validation_accuracy"] == watched.score(*TEST)
    assert rows[0]["train_loss"] > rows[-1]["train_loss"]
    assert rows[0]["seconds"] < rows[-1]["seconds"]
    assert [row["train_loss"] for row in alone.history_] == [row["train_loss"] for row in rows]
    assert "validation_accuracy" not in alone.history_[0]
    np.testing.assert_array_equal(alone.predict_proba(IMAGES), watched.predict_proba(IMAGES))


@pytest.mark.slow
def test_pickle_holds_numpy_weights_and_predicts_the_same_in_another_process(tmp_path):
    classifier = fit(**CNN)
    content = pickle.dumps(classifier)
    assert b"torch" not in content.replace(b"mnist_kedro.classifiers.torch_classifier", b"")
    (tmp_path / "model.pkl").write_bytes(content)
    np.save(tmp_path / "images.npy", IMAGES)
    script = (
        "import pickle, numpy as np; model = pickle.load(open('model.pkl', 'rb'));"
        "np.save('labels.npy', model.predict(np.load('images.npy')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), classifier.predict(IMAGES))


def test_a_model_from_a_gpu_is_loaded_on_the_cpu_and_draws_no_random_numbers(monkeypatch):
    options = {"channels": [4, 8], "batch_norm": True}
    classifier = fit(network="cnn", network_options=options)
    expected = classifier.predict_proba(IMAGES)
    content = pickle.dumps(classifier.set_params(device="cuda"))
    state = torch.get_rng_state()
    monkeypatch.setattr(torch.random, "fork_rng", None)  # other threads would see what it does
    loaded = pickle.loads(content)
    assert torch.equal(torch.get_rng_state(), state)
    if not torch.cuda.is_available():
        np.testing.assert_array_equal(loaded.predict_proba(IMAGES), expected)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"network": "resnet"}, "unknown network 'resnet'"),
        ({"network_options": {"dropout": 1.0}}, "'dropout' should be less than 1, found 1.0"),
        ({"network_options": 3}, "'network_options' should be a valid dictionary, found 3"),
        ({"epochs": 0}, "'epochs' should be greater than 0, found 0"),
        ({"batch_size": 0.5}, "'batch_size' should be a valid integer"),
        ({"learning_rate": 0.0}, "'learning_rate' should be greater than 0, found 0.0"),
        ({"learning_rate": float("inf")}, "'learning_rate' should be a finite number, found inf"),
        ({"label_smoothing": 1.0}, "'label_smoothing' should be less than 1, found 1.0"),
        ({"augmentation": {"shift": -1}}, "'shift' should be greater than or equal to 0"),
        ({"augmentation": {"rotaton": 1}}, "did you mean 'rotation'"),
        ({"precision": "half"}, "'precision' should be 'float32' or 'bfloat16', found"),
        ({"device": "gpu"}, "expected 'device' to be auto, cpu or cuda, found 'gpu'"),
        ({"random_state": "one"}, "'one' cannot be used to seed"),
        ({"learning_rate": 1e30}, r"lower 'learning_rate', which is 1e\+30"),
    ],
)
def test_impossible_settings_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        fit(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none():
    with pytest.raises(UserError, match="expected a CUDA device for 'device: cuda', found none"):
        fit(device="cuda")


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 27, 28), np.uint8), ((2, 28, 27), np.uint8), ((2, 28, 28), float)]
)
def test_items_unlike_those_in_fit_are_refused(shape, dtype):
    with pytest.raises(ValueError, match="expect"):
        fit().predict(np.zeros(shape, dtype))
