"""Make the README's pictures of a finished run: `python -m docs.make_screenshots [PROJECT]`."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image
from playwright.sync_api import expect
from plotly.io import from_json
from rich.console import Console
from rich.text import Text

from docs import digits, pages
from mnist_kedro.run.summary import print_summary

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).parent / "images"
WIDTH = 1000  # pixels
COLOURS = 256
COLUMNS = 100
DRAWN = 3  # the digit on the demo's pictures
SUMMARISED = ("leaderboard", "champion", "final_metrics")


def main() -> None:
    """Photograph the pages and the chart of a search, draw the terminal, and copy a figure."""
    project = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    if pages.CHROMIUM is None:
        sys.exit("expected Chromium, found none on PATH: install it (apt-get install chromium)")
    if not (project / "mlflow.db").is_file():
        sys.exit(f"expected a run tracked in {project}/mlflow.db, found none: `kedro run` first")
    with pages.mlflow_ui(project) as links:
        photograph_mlflow(links)
    with pages.chromium_page(1250, 700) as page:
        page.set_content(f"<body style='margin: 0'>{terminal(project)}</body>")
        save(page.locator("svg").screenshot(), "terminal")
        if charts := list(project.glob("data/08_reporting/tuning_chart.json/*/*.json")):
            page.set_content(from_json(max(charts).read_text(encoding="utf-8")).to_html())
            save(page.locator(".js-plotly-plot").screenshot(), "tuning_chart")
    with pages.viz_site(project) as url, pages.chromium_page(1280, 800) as page:
        pages.open_graph(page, url, "?types=nodes")  # what `make viz` opens
        save(page.screenshot(), "kedro_viz")
    with pages.demo(project) as url:
        photograph_demo(url)
    figure = max(project.glob("data/08_reporting/final_report.png/*/final_report.png"))
    save(figure.read_bytes(), "final_report")
    sheet = max(project.glob("data/07_model_output/contact_sheet.png/*/contact_sheet.png"))
    save(sheet.read_bytes(), "contact_sheet")


def photograph(page: Page) -> bytes:
    """Return a page as PNG, once it no longer moves."""
    page.wait_for_timeout(1500)  # animations, of which the pages do not tell the end
    return page.screenshot()


def photograph_mlflow(links: list[str]) -> None:
    """Save what the links show, the page of the cnn, and the final models of MNIST."""
    with pages.chromium_page(1280, 800) as page:
        for name, link in zip(("mlflow", "mlflow_charts", "mlflow_champions"), links, strict=True):
            pages.open_runs(page, link)
            save(photograph(page), name)
        for _ in range(2):
            pages.open_runs(page, links[0])
            cnn = page.get_by_role("link", name="cnn", exact=True)
            expect(cnn).to_have_count(1)  # for a moment, those of all runs may be there
            cnn.click()
            page.get_by_text("About this run").wait_for()
            page.get_by_text("Model training").click()  # which the browser remembers
        # Below are tags, of which one names the folder.
        save(page.screenshot(clip={"x": 0, "y": 0, "width": 1280, "height": 565}), "mlflow_run")
        page.goto(f"{links[0].partition('#')[0]}#/models/MNIST")
        page.get_by_text("champion").first.wait_for()
        folders = page.get_by_text("kedro_project")  # of this machine
        folders.evaluate_all("tags => tags.forEach(tag => tag.parentElement.remove())")
        save(photograph(page), "mlflow_registry")


def photograph_demo(url: str) -> None:
    """Save the page to draw on, with a digit, as it looks on a desktop and on a phone."""
    for name, width, height in (("demo", 960, 720), ("demo_phone", 390, 844)):
        with pages.chromium_page(width, height, phone=name == "demo_phone") as page:
            page.goto(url)
            digits.draw(page, DRAWN)
            expect(page.get_by_role("status")).not_to_be_empty()  # the answer is the final one
            save(page.screenshot(), name)


def save(png: bytes, name: str) -> None:
    """Write a PNG of few bytes into `docs/images/`."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def terminal(project: Path) -> str:
    """Return the summary of the latest run, as it looks on a terminal, as SVG."""
    bootstrap_project(project)
    with contextlib.chdir(project), KedroSession.create(project_path=project) as session:
        catalog = session.load_context().catalog
        printed = io.StringIO()
        terminal = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
        with patch.dict(os.environ, terminal), contextlib.redirect_stdout(printed):
            print_summary(SUMMARISED, catalog)
    console = Console(record=True, file=io.StringIO(), width=COLUMNS)
    console.print(Text.from_ansi(printed.getvalue()))
    return console.export_svg(title="kedro run")


if __name__ == "__main__":
    main()
