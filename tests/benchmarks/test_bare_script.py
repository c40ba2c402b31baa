import pytest

from benchmarks.bare_script import CANDIDATES, fit_candidate


@pytest.mark.parametrize("name", CANDIDATES)
def test_it_knows_all_settings_of_the_default_candidates(name, tiny_arrays):
    images, labels = tiny_arrays.train_images.copy(), tiny_arrays.train_labels.copy()
    predict = fit_candidate(name, images, labels)
    assert predict(tiny_arrays.test_images.copy()).shape == (20,)
