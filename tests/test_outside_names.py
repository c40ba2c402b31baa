"""Names from outside stay names: none reaches a folder outside the project, or a terminal."""

import pytest
import yaml
from kedro.framework.startup import bootstrap_project

from mnist_kedro.parameters import printable
from mnist_kedro.pipeline_registry import candidate_names, register_pipelines
from mnist_kedro.pipelines.data_ingestion.nodes import DataIngestionParameters
from mnist_kedro.run.configuration import ConfigLoader
from mnist_kedro.tracking.store import TrackingParameters

CANDIDATES = "conf/base/parameters_model_training.yml"
INGEST = ("--pipelines=data_ingestion", "--params=data_ingestion.source=embedded")


@pytest.fixture
def in_project(project, monkeypatch):
    monkeypatch.chdir(project)
    bootstrap_project(project)
    return project


@pytest.fixture
def outside(project):
    """A folder beside the project, which as an environment would send all data to another."""
    folder = project.parent / "outside"
    folder.mkdir()
    (folder / "globals.yml").write_text(f"data: {project.parent / 'elsewhere'}\n")
    (folder / "tracking.yml").write_text("tracking: {enabled: false}\n")
    return folder


def files_outside(project):
    """Paths of all files beside the project, and of its data."""
    beside = [path for path in project.parent.rglob("*") if not path.is_relative_to(project)]
    return sorted(path for path in [*beside, *project.glob("data/**/*")] if path.is_file())


def assert_refused(project, done, before, *words):
    """A run has ended in one harmless sentence with these words, and has written nothing."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.isprintable()
    assert all(word in line for word in words), line
    assert files_outside(project) == before


@pytest.mark.parametrize("env", ["../../outside", "{outside}", "a/b", "..", ".", "a\x1b[31m", " "])
def test_an_environment_is_a_folder_in_conf(project, outside, run_kedro, env):
    before = files_outside(project)
    done = run_kedro(project, "run", *INGEST, f"--env={env.format(outside=outside)}")
    assert_refused(project, done, before, "expected --env or KEDRO_ENV to be the name of a folder")


@pytest.mark.parametrize("command", [["run", *INGEST], ["demo", "--no-browser"]])
def test_the_environment_variable_is_no_way_out(project, outside, run_kedro, monkeypatch, command):
    before = files_outside(project)
    monkeypatch.setenv("KEDRO_ENV", str(outside))
    done = run_kedro(project, *command)
    assert_refused(project, done, before, "KEDRO_ENV", repr(str(outside)))


def test_a_variable_that_a_file_of_conf_asks_for_is_named(project, run_kedro, monkeypatch):
    monkeypatch.delenv("CLUSTER_TUNING", raising=False)
    done = run_kedro(project, "run", "--env=cluster")
    assert done.stderr.splitlines()[-1] == (
        "Error: tuning.storage: expected the variable CLUSTER_TUNING in the environment, found "
        "none: load the file that sets it, such as conf/cluster/cluster.env"
    )


def test_an_environment_that_is_not_there_is_named(project, run_kedro):
    done = run_kedro(project, "run", *INGEST, "--env=nowhere")
    assert_refused(project, done, [], f"does not exist or is not a valid directory: {project}/conf")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data_ingestion.cache", "{outside}/cache"),
        ("data_ingestion.cache", "../cache"),
        ("data_ingestion.cache", "data/../../cache"),
        ("tracking.uri", "sqlite:///{outside}/mlflow.db"),
        ("tracking.uri", "sqlite:///../mlflow.db"),
        ("tracking.uri", "SQLite+pysqlite:///file:{outside}/mlflow.db?uri=true"),
        ("tracking.uri", "sqlite:///file:%2e%2e/mlflow.db?uri=true"),
        ("tracking.uri", "file://{outside}/mlruns"),
        ("tracking.uri", "{outside}/mlruns"),
        ("tuning.storage", "sqlite:////etc/optuna.db"),
    ],
)
def test_no_parameter_of_one_run_makes_it_write_outside(in_project, outside, name, value):
    group, key = name.split(".")
    given = {group: {key: value.format(outside=outside)}}
    with pytest.raises(ValueError, match=f"expected '{name}' to be in the project's folder"):
        ConfigLoader("conf", runtime_params=given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data_ingestion.cache", "data/other"),
        ("data_ingestion.cache", "{project}/data/other"),
        ("data_ingestion.source", "/anywhere/../else"),  # is only read
        ("tracking.uri", "http://user:a/b@server:5000"),
        ("tracking.uri", "postgresql://user:secret@server/mlflow"),
        ("tracking.uri", "sqlite:///other.db"),
        ("tracking.uri", None),
        ("tuning.storage", "sqlite:///{project}/other.db"),
    ],
)
def test_parameters_of_one_run_may_name_places_inside_and_servers(in_project, name, value):
    group, key = name.split(".")
    given = {group: {key: value and value.format(project=in_project)}}
    loader = ConfigLoader("conf", "local", given, base_env="base", default_run_env="local")
    assert loader.runtime_params == given


def test_a_configuration_file_may_name_a_folder_outside(project, run_kedro, tmp_path):
    path = project / "conf/local/globals.yml"
    path.write_text(f"data: {tmp_path / 'elsewhere'}\n")
    assert run_kedro(project, "run", *INGEST).returncode == 0
    assert list((tmp_path / "elsewhere/08_reporting").rglob("dataset_profile.json"))


def test_a_run_refuses_a_cache_outside_and_writes_nothing(project, run_kedro):
    before = files_outside(project)
    given = f"{INGEST[1]},data_ingestion.cache=../cache"
    done = run_kedro(project, "run", INGEST[0], given)
    assert_refused(project, done, before, "found '../cache': a file in conf/ may name any other")


def test_of_a_refused_address_the_password_is_not_told(in_project):
    given = {"tracking": {"uri": "sqlite://user:secret@/../x"}}
    with pytest.raises(ValueError, match=r"//\*\*\*@/\.\./x") as caught:
        ConfigLoader("conf", runtime_params=given)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"tracking": {"experiment": "\x1b[31m"}},
        {"data_ingestion": {"name": "a\nb"}},
        {"inference": {"images": ["a", "b\x07"]}},
        {"a\x9bb": 3},
        {"data_ingestion": {"cache": "${data_ingestion.name}", "name": "/etc"}},
        {"data_ingestion": "${tuning.hyperparameters}"},
    ],
)
def test_parameters_of_one_run_have_no_control_characters_and_no_references(in_project, given):
    sentence = "^expected parameters of one run without control characters and references"
    with pytest.raises(ValueError, match=sentence) as caught:
        ConfigLoader("conf", runtime_params=given)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["\x1b[31m", "", " ", "a\nb"])
def test_names_that_are_saved_have_no_control_characters_in_files_either(in_project, name):
    tracking = {"enabled": False, "uri": None, "experiment": "a", "registered_model": "b"}
    for key in ("experiment", "registered_model"):
        with pytest.raises(ValueError, match=f"expected '{key}' to be text") as caught:
            TrackingParameters.model_validate(tracking | {key: name})
        assert str(caught.value).isprintable()
    path = in_project / "conf/base/parameters_data_ingestion.yml"
    ingestion = yaml.safe_load(path.read_text())["data_ingestion"]
    with pytest.raises(ValueError, match="expected 'name' to be text"):
        DataIngestionParameters.model_validate(ingestion | {"name": name})


@pytest.mark.parametrize("name", ["../x", "models:/x", "a/b"])
def test_the_registered_model_has_a_name_that_mlflow_takes(name):
    tracking = {"enabled": False, "uri": None, "experiment": "a", "registered_model": name}
    with pytest.raises(ValueError, match="'registered_model' String should match pattern"):
        TrackingParameters.model_validate(tracking)


def with_candidate(project, name):
    """Give the random forest another name."""
    parameters = yaml.safe_load((project / CANDIDATES).read_text())
    parameters["candidates"] = {name: parameters["candidates"]["random_forest"]}
    (project / CANDIDATES).write_text(yaml.safe_dump(parameters))


@pytest.mark.parametrize(
    "name", ["../../evil", "/evil", "a/b", "a.b", "a b", "a\x1b[31m", "a\n", "é", "A", "", 1, None]
)
def test_candidates_have_plain_names(in_project, name):
    with_candidate(in_project, name)
    with pytest.raises(ValueError, match="small letters, digits and '_', up to 64") as caught:
        candidate_names()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a", "svm_2", "a" * 64])
def test_plain_names_are_taken(in_project, name):
    with_candidate(in_project, name)
    assert candidate_names() == [name]


def test_a_name_too_long_for_a_folder_is_refused(in_project):
    with_candidate(in_project, "a" * 65)
    with pytest.raises(ValueError, match="up to 64"):
        candidate_names()


@pytest.mark.parametrize("name", ["final_model", "model_selection", "final", "tuning"])
def test_candidates_do_not_have_the_name_of_another_part(in_project, name):
    with_candidate(in_project, name)
    with pytest.raises(ValueError, match=f"names of their own, found {name}, which"):
        register_pipelines()


def test_a_candidate_named_like_a_path_ends_the_run(project, run_kedro):
    with_candidate(project, "../../evil")
    before = files_outside(project)
    done = run_kedro(project, "run", "--params=data_ingestion.source=embedded")
    assert_refused(project, done, before, "found '../../evil'")


@pytest.mark.parametrize("version", ["../../x", "/etc", "..", "a\\b", ""])
def test_a_version_is_no_path(project, run_kedro, version):
    done = run_kedro(
        project, "run", "--pipelines=data_split", f"--load-versions=train_labels:{version}"
    )
    assert_refused(project, done, [], f"Version string '{version}' is not allowed")


@pytest.mark.parametrize(
    "option",
    [
        "--pipelines=fi\x1b[31mnal",
        "--namespaces=../../x",
        "--namespaces=fi[nal",
        "--from-nodes=\x1b[31m",
        "--nodes=[",
        "--tags=../x",
        "--tags=,",
        "--from-inputs=../x",
        "--load-versions=train_labels:\x1b[31m",
        "--params=\x1b[31m=3",
    ],
)
def test_rubbish_ends_in_a_harmless_message_and_runs_nothing(project, run_kedro, option):
    done = run_kedro(project, "run", option)
    assert done.returncode != 0
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert files_outside(project) == []


def test_what_cannot_be_printed_is_escaped():
    assert printable("é \x1b[31m\r\u2028\udcff ✓") == "é \\x1b[31m\\r\\u2028\\udcff ✓"


def test_the_tests_would_see_a_file_outside(project):
    assert files_outside(project) == []
    (project.parent / "file").touch()
    assert files_outside(project) == [project.parent / "file"]
