"""Versions: no two runs save under the same one."""

from concurrent.futures import ThreadPoolExecutor

from mnist_kedro.session import unique_version


def test_versions_taken_at_the_same_moment_differ(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(unique_version, [tmp_path] * 40))
    assert len(set(versions)) == 40


def test_later_versions_sort_behind_earlier_ones(tmp_path):
    versions = [unique_version(tmp_path) for _ in range(5)]
    assert versions == sorted(versions)


def test_a_run_takes_its_version_so(finished_project):
    folder, _ = finished_project
    assert (folder / "version.lock").exists()
    assert len(list((folder / "data" / "05_model_input" / "splits.csv").iterdir())) == 1
