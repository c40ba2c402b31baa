"""A whole cluster on one machine: `make cluster-up`, `make cluster-down`."""
