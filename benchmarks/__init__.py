"""What this project costs: each figure beside that of a peer, measured in turn in one run."""
