"""A cluster on one machine, to try `--env=cluster`: `make cluster-up`."""
