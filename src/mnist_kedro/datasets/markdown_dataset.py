"""A text in Markdown that Kedro-Viz shows."""

import re
from typing import NewType

from mnist_kedro.datasets.standard import TextDataset

HTMLPreview = NewType("HTMLPreview", str)  # Kedro-Viz goes by its name
# Kedro-Viz reads HTML once more as Markdown, line by line: it would make italics of `_128_` in
# `mlp_128_128`. A line break in an attribute, where it does nothing else, keeps such signs apart.
APART = r'\1<wbr title=".\n.">'


class MarkdownDataset(TextDataset):
    """Kedro's `TextDataset`, with a preview: headings, lists and tables, not their signs."""

    def preview(self) -> HTMLPreview:
        """Return the text as HTML, of the version that would be loaded."""
        from markdown_it import MarkdownIt

        html = MarkdownIt().enable("table").render(self.load())
        html = re.sub(r"\n(?![^<]*</code>)", " ", html)  # Kedro-Viz would break lines there
        return HTMLPreview(re.sub(r"([_*])(?![^<]*>)", APART, html))
