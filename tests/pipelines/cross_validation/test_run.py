import pytest
import yaml

from mnist_kedro.pipeline_registry import CANDIDATES_FILE
from tests.kedro_process import load

pytestmark = pytest.mark.slow

FEW = ["logistic_regression", "mlp_64"]


def test_candidates_are_cross_validated_side_by_side_and_the_champion_stays(
    used_project, run_kedro
):
    path = used_project / "conf" / CANDIDATES_FILE
    settings = yaml.safe_load(path.read_text())
    settings["candidates"] = {name: settings["candidates"][name] for name in FEW}
    path.write_text(yaml.safe_dump(settings))
    before = load(used_project, "champion")
    done = run_kedro(
        used_project,
        *("run", "--pipelines=cross_validation", "--runner=ParallelRunner"),
        "--params=cross_validation.folds=2",
    )
    assert done.returncode == 0, done.stderr
    scores, board, splits = load(used_project, "fold_scores", "fold_leaderboard", "splits")
    assert scores[["candidate", "fold"]].to_numpy().tolist() == [
        [name, fold] for name in FEW for fold in (1, 2)
    ]
    assert sorted(board["candidate"]) == FEW
    assert board["images"].tolist() == [len(splits)] * 2
    assert (board["fold_accuracy_mean"] > 0.9).all()
    assert load(used_project, "champion") == before
