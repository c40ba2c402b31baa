"""The champion over HTTP, and the page on which to draw for it: `kedro demo`."""
