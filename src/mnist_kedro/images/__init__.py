"""Anybody's picture of a digit to MNIST's format."""
