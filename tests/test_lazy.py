import numpy
import pytest

from mnist_kedro.lazy import np


def test_a_package_has_what_the_package_itself_has():
    assert np.array is numpy.array
    with pytest.raises(AttributeError, match="no_such_name"):
        np.no_such_name  # noqa: B018
