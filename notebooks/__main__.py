"""`python -m notebooks`: execute the notebooks and save them as they are committed.

Outputs are kept, pictures in few colours; what differs between machines and moments is not.
"""

from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

COLOURS = 64
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> None:
    """Execute each notebook in its own folder, and write it back."""
    for path in sorted(Path(__file__).parent.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(path.parent)}}
        NotebookClient(
            notebook, resources=resources, record_timing=False, coalesce_streams=True
        ).execute()
        notebook.metadata = nbformat.from_dict(METADATA)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = shrink(output.data["image/png"])
        nbformat.write(notebook, path)


def shrink(picture: str) -> str:
    """Return a PNG with a palette of few colours; both are base64."""
    image, buffer = Image.open(BytesIO(b64decode(picture))), BytesIO()
    image.convert("RGB").quantize(COLOURS).save(buffer, "PNG", optimize=True)
    return b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    main()
