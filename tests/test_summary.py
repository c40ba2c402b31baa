import pandas as pd

from mnist_kedro.summary import print_summary

ROW = {
    "validation_accuracy_low": 0.978,
    "validation_accuracy_high": 0.989,
    "predict_ms_per_image": 0.275,
    "model_bytes": 860_000,
    "fit_seconds": 11.12,
    "data": "MNIST",
}
LEADERBOARD = pd.DataFrame(
    [
        {"candidate": "cnn", "validation_accuracy": 0.9845, "champion": True} | ROW,
        {"candidate": "mlp_64", "validation_accuracy": 0.95, "champion": False} | ROW,
    ]
)
FINAL_METRICS = {
    "candidate": "cnn",
    "data": "MNIST",
    "n_test": 10_000,
    "test_accuracy": 0.9934,
    "test_accuracy_low": 0.9916,
    "test_accuracy_high": 0.9948,
}


def test_the_leaderboard_marks_the_champion_and_names_the_data(capsys):
    print_summary(LEADERBOARD, {"reason": "cnn is best."})
    printed = capsys.readouterr().out
    assert "Candidates on MNIST" in printed
    assert "cnn *" in printed
    assert "mlp_64 *" not in printed
    assert "98.45 % (97.80 % to 98.90 %)" in printed
    assert "11.1 s" in printed
    assert "0.86 MB" in printed
    assert "Champion  cnn is best." in printed


def test_the_test_accuracy_stands_with_its_interval_and_count(capsys):
    print_summary(final_metrics=FINAL_METRICS)
    printed = " ".join(capsys.readouterr().out.split())
    assert "of MNIST: 99.34 % (99.16 % to 99.48 %) on 10,000 test images" in printed
    assert "Candidates" not in printed


def test_a_data_set_may_have_any_name(capsys):
    print_summary(LEADERBOARD.assign(data="digits[/old]"), final_metrics=FINAL_METRICS)
    assert "Candidates on digits[/old]" in capsys.readouterr().out


def test_nothing_is_printed_of_a_run_that_made_none_of_it(capsys):
    print_summary()
    assert capsys.readouterr().out == ""
