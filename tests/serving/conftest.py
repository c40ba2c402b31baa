"""A project with a champion, and the real server of it."""

import pytest

from tests.serving.demo_process import demo
from tests.serving.mean_digits import VERSION, make_manifest, make_model, mean_images, save_champion


@pytest.fixture(scope="session")
def served_project(tmp_path_factory, copy_project):
    model = make_model(mean_images())
    folder = copy_project(tmp_path_factory.mktemp("serving") / "project")
    save_champion(folder, VERSION, model, make_manifest(model))
    return folder


@pytest.fixture(scope="module")
def server(served_project):
    with demo(served_project) as running:
        yield running
