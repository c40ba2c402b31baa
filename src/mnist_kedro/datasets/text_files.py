"""Text, Markdown and JSON files that are whole or absent."""

import re
from typing import NewType

from kedro_datasets.json import JSONDataset as KedroJSONDataset
from kedro_datasets.text import TextDataset as KedroTextDataset

from mnist_kedro.datasets.files import FileDataset

HTMLPreview = NewType("HTMLPreview", str)  # Kedro-Viz goes by its name
# Kedro-Viz reads HTML once more as Markdown, line by line: it would make italics of `_128_` in
# `mlp_128_128`. A line break in an attribute, where it does nothing else, keeps such signs apart.
APART = r'\1<wbr title=".\n.">'


class JSONDataset(FileDataset, KedroJSONDataset):
    """Kedro's `json.JSONDataset`."""


class TextDataset(FileDataset, KedroTextDataset):
    """Kedro's `text.TextDataset`."""


class MarkdownDataset(TextDataset):
    """A text that Kedro-Viz shows with headings, lists and tables, not with their signs."""

    def preview(self) -> HTMLPreview:
        """Return the text as HTML, of the version that would be loaded."""
        from markdown_it import MarkdownIt

        html = MarkdownIt().enable("table").render(self.load())
        html = re.sub(r"\n(?![^<]*</code>)", " ", html)  # Kedro-Viz would break lines there
        return HTMLPreview(re.sub(r"([_*])(?![^<]*>)", APART, html))
