import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro_datasets.pandas import SQLQueryDataset

import mnist_kedro
from mnist_kedro import hooks
from mnist_kedro.hooks import ProjectHooks
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines import data_split, model_training
from mnist_kedro.run.lock import is_alive


@pytest.fixture
def known_pipelines(monkeypatch):
    pipelines = {
        "data_split": data_split.create_pipeline(),
        "model_training": model_training.create_pipeline(["cnn"]),
    }
    monkeypatch.setattr(hooks, "pipelines", pipelines)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("data_splitt", "data_split"), ("candidates.cn", "candidates.cnn")],
)
def test_other_parameters_are_refused(known_pipelines, name, meant):
    read = ["parameters", "params:data_split", "params:data_split.seed", "params:candidates"]
    with pytest.raises(UserError, match=f"'{name}': did you mean '{meant}'"):
        ProjectHooks().after_catalog_created(dict.fromkeys([*read, f"params:{name}"], 1))


class Refuses:
    """Another hook that does not let a run begin."""

    @hooks.hook_impl
    def before_pipeline_run(self):
        raise ConnectionError


@pytest.fixture
def begin(tmp_path):
    """Function that tells all hooks of a run that begins, and in the end that it has ended."""
    managers = []

    def begin(pipe, catalog, *others, **changes):
        manager = _create_hook_manager()
        for each in (ProjectHooks(), *others):
            manager.register(each)
        given = run_params(project_path=str(tmp_path)) | changes
        managers.append((manager, given))
        manager.hook.before_pipeline_run(run_params=given, pipeline=pipe, catalog=catalog)
        return manager, given

    yield begin
    for manager, given in managers:
        with suppress(KeyError):
            manager.hook.on_pipeline_error(
                error=None, run_params=given, pipeline=None, catalog=None
            )


def run_params(**changes):
    given = {"run_id": "now", "project_path": ".", "load_versions": None}
    return given | {"only_missing_outputs": False} | changes


COUNT = pipeline([node(len, "images", "count", name="count_images")])


def catalog_of(**data):
    return DataCatalog({name: MemoryDataset(value) for name, value in data.items()})


def test_missing_inputs_are_named_before_anything_runs(begin):
    two_nodes = pipeline([node(len, "champion", "size"), node(len, "images", "count")])
    catalog = DataCatalog({"champion": MemoryDataset(), "images": MemoryDataset([])})
    with pytest.raises(UserError, match="expected champion to be saved by an earlier run"):
        begin(two_nodes, catalog)


def test_provenance_names_run_versions_packages_and_commit(begin, known_pipelines):
    catalog = catalog_of(images=[])
    begin(COUNT, catalog)
    provenance = catalog["provenance"].load()
    assert provenance["run_id"] == "now"
    assert provenance["versions"] == {"images": None, "count": None}
    assert set(provenance["packages"]) == {"mnist_kedro", *hooks.PACKAGES}
    assert (provenance["git_commit"], provenance["git_dirty"]) == (None, None)


def test_a_run_lives_until_it_ends(begin, tmp_path):
    begin(COUNT, catalog_of(images=[]))
    assert is_alive(tmp_path, "now")
    with pytest.raises(UserError, match="now in use"):
        begin(COUNT, catalog_of(images=[]))
    begin(COUNT, catalog_of(images=[]), run_id="later")


def test_a_run_that_another_hook_refuses_has_ended(begin, tmp_path):
    with pytest.raises(ConnectionError):
        begin(COUNT, catalog_of(images=[]), Refuses())
    assert list((tmp_path / ".runs").iterdir()) == []


def test_a_summary_that_fails_ends_the_run_all_the_same(begin, tmp_path, monkeypatch):
    def fail(*_):
        raise SystemExit(1)  # as on a closed pipe

    monkeypatch.setattr("mnist_kedro.run.summary.print_summary", fail)
    manager, given = begin(COUNT, catalog_of(images=[]))
    with pytest.raises(SystemExit):
        manager.hook.after_pipeline_run(
            run_params=given | {"env": None}, run_result={}, pipeline=COUNT, catalog=None
        )
    assert list((tmp_path / ".runs").iterdir()) == []


def test_an_input_of_which_only_loading_tells_is_not_missed(begin):
    sql = SQLQueryDataset(sql="SELECT 1 AS a", credentials={"con": "sqlite://"})
    catalog = DataCatalog({"query": sql})
    begin(pipeline([node(len, "query", "n")]), catalog)
    assert catalog["provenance"].load()["versions"] == {"n": None, "query": None}


def test_where_a_node_reads_all_parameters_any_may_stand(monkeypatch):
    pipelines = {"a": pipeline([node(len, "parameters", "n")])}
    monkeypatch.setattr(hooks, "pipelines", pipelines)
    assert ProjectHooks().after_catalog_created({"parameters": {}, "params:data_splitt": 1}) is None


def test_a_parameter_like_no_other_may_be_for_a_file_of_the_configuration(known_pipelines):
    assert ProjectHooks().after_catalog_created({"params:where": 1}) is None


def test_parameters_that_the_run_does_not_read_are_named(begin, caplog):
    pipe = pipeline([node(len, "params:data_split", "size", name="count")])
    catalog = DataCatalog({"params:data_split": MemoryDataset([]), "size": MemoryDataset()})
    given = {"data_split": {"seed": 1}, "model_training": {"seed": 1}}
    begin(pipe, catalog, runtime_params=given)
    (record,) = caplog.records
    assert "parameters of model_training change nothing" in record.getMessage()


def test_the_project_need_not_be_installed(begin, known_pipelines, monkeypatch):
    def version(name):
        if name == "mnist_kedro":  # as with `src` on the path only
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(hooks, "version", version)
    catalog = catalog_of(images=[])
    begin(COUNT, catalog)
    assert catalog["provenance"].load()["packages"]["mnist_kedro"] == mnist_kedro.__version__


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_git_commit_and_whether_files_differ_from_it(tmp_path):
    def git(*command):
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        command = ["git", "-C", tmp_path, *identity, *command]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert hooks._describe_code(tmp_path) == {"git_commit": commit, "git_dirty": False}
    (tmp_path / "file").write_text("2")
    assert hooks._describe_code(tmp_path) == {"git_commit": commit, "git_dirty": True}
