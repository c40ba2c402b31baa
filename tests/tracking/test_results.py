"""What MLflow is told of parameters."""

from mnist_kedro.tracking.results import public_parameters


def test_parameters_are_flat_and_without_passwords():
    parameters = {
        "data_ingestion": {
            "source": "auto",
            "mirrors": ("https://user:secret@host/mnist/", "https://me:too@host/"),
        },
        "data_split": {"sample_size": None, "shares": [0.8, 0.2]},
        "tracking": {"uri": "https://user:secret@host/"},
        "tuning": {"storage": "postgresql://user:secret@host/", "trials": 3},
    }
    assert public_parameters(parameters) == {
        "data_ingestion.source": "auto",
        "data_ingestion.mirrors": "['https://***@host/mnist/', 'https://***@host/']",
        "data_split.sample_size": "None",
        "data_split.shares": "[0.8, 0.2]",
        "tuning.trials": "3",
    }
