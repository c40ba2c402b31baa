"""Two projects with a champion: one made by hand, and the finished one; the real server of each."""

import shutil

import pytest

from docs import pages
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


@pytest.fixture(scope="session")
def demo_url(finished_project, tmp_path_factory):
    """Address of `kedro demo`, where the final model of the finished project reads digits."""
    left_out = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    project = tmp_path_factory.mktemp("demo") / "project"
    with pages.demo(shutil.copytree(finished_project[0], project, ignore=left_out)) as url:
        yield url
