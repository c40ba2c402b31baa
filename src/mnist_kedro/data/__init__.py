"""Where images come from: sources, verified arrays, splits."""
