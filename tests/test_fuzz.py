"""Changed files and bodies of requests are read or refused, and nothing else ever happens."""

import pytest
from hypothesis import settings

from tests.fuzz import PROFILE, TARGETS, try_inputs

EXAMPLES = 60  # of each target; `make fuzz` tries many more

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # as `pictures.py`; pytest undoes it


@pytest.mark.parametrize("name", TARGETS)
def test_whole_ones_are_read_and_changed_ones_read_or_refused(name, tmp_path):
    path = tmp_path / name
    read, corpus = TARGETS[name]
    for data in corpus:
        path.write_bytes(data)
        assert read(path), data[:80]
    profile = settings(PROFILE, max_examples=EXAMPLES, derandomize=True)
    assert try_inputs(name, path, profile)[0] >= EXAMPLES
