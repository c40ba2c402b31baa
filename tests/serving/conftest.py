"""The demo as people start it."""

import shutil

import pytest

from docs import pages


@pytest.fixture(scope="session")
def demo_url(finished_project, tmp_path_factory):
    """Address of `kedro demo`, where the final model of the finished project reads digits."""
    left_out = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    project = tmp_path_factory.mktemp("demo") / "project"
    with pages.demo(shutil.copytree(finished_project[0], project, ignore=left_out)) as url:
        yield url
