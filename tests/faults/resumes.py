"""`--only-missing-outputs`: what is finished stays, what rests on a change is made anew."""

from tests.faults.losses import losses
from tests.faults.projects import Project

# What changes, something that is made anew then, and something that is not.
CHANGES = {
    "candidates.mlp_64.hyperparameters.epochs=3": ("mlp_64.model", "logistic_regression.model"),
    "data_split.seed=7": ("logistic_regression.model", "train_images"),
    "model_selection.alpha=0.01": ("champion", "mlp_64.model"),
}


def resumes(folder, candidates=()):
    """Go on where nothing is left to do, then after changes; yield the losses after each."""
    project = Project(folder, candidates)
    done = project.run()
    assert done.returncode == 0, done.stderr
    made = _made_by_going_on(project)
    yield [f"{name} was made again" for name in made] + losses(project)
    for change, (made_anew, kept) in CHANGES.items():
        made = _made_by_going_on(project, "--params", change)
        lost = [] if made_anew in made else [f"{made_anew} was not made anew"]
        lost += [f"{kept} was made again"] if kept in made else []
        yield [f"{change}: {each}" for each in lost + losses(project)]


def _made_by_going_on(project, *arguments):
    before = project.records().keys()
    done = project.run("--only-missing-outputs", *arguments)
    assert done.returncode == 0, done.stderr
    (made,) = project.records_since(before)
    return made
