"""A text file that Kedro-Viz shows."""

from typing import NewType

from kedro_datasets import text

# Kedro-Viz goes by this name. It knows an `HTMLPreview` too, which takes Markdown, but reads two
# underscores on a line as italics: of `mlp_128_128` it would leave `mlp128128`.
TextPreview = NewType("TextPreview", str)


class TextDataset(text.TextDataset):
    """Kedro's `TextDataset`, with a preview."""

    def preview(self) -> TextPreview:
        """Return the text, of the version that would be loaded."""
        return TextPreview(self.load())
