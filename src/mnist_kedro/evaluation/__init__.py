"""Predictions to scores, tests, figures and reports."""
