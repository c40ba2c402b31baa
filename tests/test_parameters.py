import pytest
from pydantic import Field

from mnist_kedro.parameters import Parameters, UserError, public_address, unknown_name


class Example(Parameters):
    size: int = Field(ge=1)
    cost: str = "time"


def test_valid_parameters_become_a_model():
    assert Example.model_validate({"size": 3}) == Example(size=3, cost="time")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"size": 0}, "'size' should be greater than or equal to 1, found 0"),
        ({"sise": 3, "size": 3}, "unknown parameter 'sise': did you mean 'size'?"),
        ({"zzz": 3, "size": 3}, "unknown parameter 'zzz': known are cost, size"),
        ({}, "'size' is missing, found {}"),
        (
            {"size": "http://user:secret@host"},
            "'size' should be a valid integer, unable to parse string as an integer, "
            "found 'http://***@host'",
        ),
    ],
)
def test_wrong_parameters_are_named_in_one_sentence(given, sentence):
    with pytest.raises(UserError, match="^") as caught:
        Example.model_validate(given)
    assert str(caught.value) == sentence


def test_parameters_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Example(size=3).size = 4


def test_unknown_name_suggests_the_closest():
    assert unknown_name("network", "cn", ["mlp", "cnn"]) == (
        "unknown network 'cn': did you mean 'cnn'?"
    )


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://user:secret@host/path/", "https://***@host/path/"),
        ("https://token@host:8080/", "https://***@host:8080/"),
        ("https://me@work.org:secret@host/", "https://***@host/"),
        (
            "postgresql+psycopg2://user:se/cr?e#t@host:5432/runs",
            "postgresql+psycopg2://***@host:5432/runs",
        ),
        ("https://user:s@cret@host/", "https://***@host/"),
        ("https://host:8080/path/", "https://host:8080/path/"),
        ("https://host/me@work/", "https://host/me@work/"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("sqlite:///C:/me@work/mlflow.db", "sqlite:///C:/me@work/mlflow.db"),
        ("Invalid URL 'http://user:secret@/': no host", "Invalid URL 'http://***@/': no host"),
        ("no address: me@work", "no address: me@work"),
        (
            "http://host:5000/api failed: 500 Server Error; contact ops@x.org",
            "http://host:5000/api failed: 500 Server Error; contact ops@x.org",
        ),
        (
            "postgresql://host/runs?user=me&password=se@cret&sslpassword=other",
            "postgresql://host/runs?user=me&password=***&sslpassword=***",
        ),
        ("https://host/a?token=secret'", "https://host/a?token=***'"),
    ],
)
def test_users_and_passwords_are_taken_out_of_addresses(address, public):
    assert public_address(address) == public
