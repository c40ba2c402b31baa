"""Credentials are told to nobody: not in what a run prints, saves or logs."""

import pytest

pytestmark = pytest.mark.slow

SECRET = "TOP-SECRET-8417"  # noqa: S105 (of nobody)
STORE = """
predictions:
  type: pandas.CSVDataset
  filepath: memory://predictions.csv
  credentials: store
  load_args: {{{}}}
  versioned: true
"""


@pytest.mark.parametrize(
    ("load_args", "status"),
    [("dtype: {file: str, class_name: str, second_class_name: str}", 0), ("no_such_option: 1", 1)],
)
def test_credentials_are_told_nowhere(used_project, run_kedro, load_args, status):
    local = used_project / "conf" / "local"
    (local / "credentials.yml").write_text(f"store: {{token: {SECRET}}}\n")
    (local / "catalog.yml").write_text(STORE.format(load_args))
    done = run_kedro(used_project, "run", "--pipelines=inference", "--params=tracking.enabled=true")
    assert done.returncode == status, done.stderr
    assert ("no_such_option" in done.stderr) == bool(status)
    assert SECRET not in done.stdout + done.stderr
    (used_project / "conf/local/credentials.yml").unlink()
    files = [path for path in used_project.rglob("*") if path.is_file()]
    assert (used_project / "mlflow.db") in files
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
