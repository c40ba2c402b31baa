"""Changed files and requests: they are read or refused, and nothing else ever happens."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.targets import TARGETS

EXAMPLES = 200  # of each target; `make fuzz` tries many more

pillow_warns = pytest.mark.filterwarnings("ignore::UserWarning")  # see `pictures.py`


@pytest.mark.parametrize("name", TARGETS)
def test_whole_ones_are_read(name, tmp_path):
    path = tmp_path / name
    refused = []
    for number, data in enumerate(TARGETS[name].corpus):
        path.write_bytes(data)
        if not TARGETS[name].read(path):
            refused.append((number, data[:60]))
    assert refused == []


@pillow_warns
@pytest.mark.parametrize("name", TARGETS)
def test_changed_ones_are_read_or_refused(name, tmp_path):
    path = tmp_path / name

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=5000, database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=TARGETS[name].inputs)
    def read(data):
        path.write_bytes(data)
        TARGETS[name].read(path)

    read()
