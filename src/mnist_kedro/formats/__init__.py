"""Bytes to arrays and back: IDX, picture files, MNIST's 28x28 box."""
