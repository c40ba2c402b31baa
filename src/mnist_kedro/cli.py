"""The project's own commands: `kedro run`, with one sentence for a user's mistake, and the demo."""

from __future__ import annotations

import atexit
import copy
import gc
import multiprocessing
import os
import re
import signal
import sys
import threading
import webbrowser
from contextlib import contextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click
import kedro.runner
from kedro.config import MissingConfigException
from kedro.framework.cli.project import CONF_SOURCE_HELP
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import env_option, validate_conf_source
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog, DatasetError, DatasetNotFoundError
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import ParameterValidationError
from omegaconf.errors import InterpolationResolutionError

from mnist_kedro.parameters import UserError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kedro.framework.context import KedroContext
    from kedro.framework.startup import ProjectMetadata

    from mnist_kedro.tracking.store import TrackingParameters

SIGNALS = signal.SIGINT, signal.SIGTERM
SHELL = 128  # what shells add to a signal's number
AGAIN_SECONDS = 1.0
NO_FILTERS = {"pipelines", "namespaces", "load_versions"}  # options that `Pipeline.filter` lacks
STOPPED = "Stopped. What is finished is saved: to go on, add --only-missing-outputs."
# A killed worker cannot go on with the next node; Windows has nothing else.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Let a mistake of the user end in one sentence; all other errors show their traceback."""
    try:
        yield
    except DatasetError as error:
        reason: BaseException = error
        while isinstance(reason, DatasetError) and reason.__cause__:  # Kedro wraps errors twice
            reason = reason.__cause__
        if not isinstance(reason, UserError | OSError):
            raise
        dataset = str(error).partition(".\n")[0]  # Kedro's sentence: what failed, with which one
        raise click.ClickException(f"{dataset}: {reason}") from error
    except ParameterValidationError as error:
        _, *sentences = re.sub(r"Failed to instantiate .*?: ", "", str(error)).splitlines()
        raise click.ClickException("; ".join(s.removeprefix("- ") for s in sentences)) from error
    except (UserError, MissingConfigException, InterpolationResolutionError) as error:
        where = (f" ({note})" for note in getattr(error, "__notes__", ()))
        raise click.ClickException("".join([str(error).partition("\n")[0], *where])) from error


@click.group(name="mnist_kedro")
def cli() -> None:
    """Commands of mnist_kedro."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process, with the exit code that shells expect.

    They raise `SystemExit`, so that whoever tracks the run can say on the way out that it was
    killed. Kedro's pools would wait for all that their workers have begun, so workers are killed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    timers: list[threading.Timer] = []

    def stop(number: int, _: object) -> NoReturn:
        for worker in multiprocessing.active_children():
            with suppress(OSError):  # it has ended by itself
                os.kill(cast("int", worker.pid), KILL)
        # Python ignores what is raised in a callback of PyTorch's or scikit-learn's: once more.
        timers.append(threading.Timer(AGAIN_SECONDS, signal.raise_signal, [number]))
        timers[-1].daemon = True
        timers[-1].start()
        raise SystemExit(SHELL + number)

    for number, handler in before.items():
        if handler not in (None, signal.SIG_IGN):  # a shell's background jobs ignore Ctrl-C
            signal.signal(number, stop)
    try:
        yield
    finally:
        if timers:
            click.echo(STOPPED, err=True)
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _run(**options: Any) -> dict[str, Any]:  # noqa: ANN401 (Kedro's)
    # What a run imports, a million objects, is no garbage: looking through it took seconds, and so
    # it would once more at the end, were it not frozen.
    thresholds = gc.get_threshold()
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    with one_sentence(), stopped_by_signals():
        try:
            return cast("Callable[..., dict[str, Any]]", kedro_run.callback)(**options)
        except (ValueError, AttributeError, DatasetNotFoundError):  # as Kedro tells of each
            _check_names(options)
            raise
        finally:
            gc.set_threshold(*thresholds)


def _check_names(options: Mapping[str, Any]) -> None:
    """Raise a `UserError` for names on the command line that nothing has, or that do not fit."""
    nodes = [node for each in pipelines.values() for node in each.nodes]
    names = {node.name for node in nodes}
    datasets = {name for each in pipelines.values() for name in each.datasets()}
    known = {
        "pipelines": ("pipeline", set(pipelines)),
        "namespaces": ("namespace", {str(node.namespace) for node in nodes}),
        "tags": ("tag", {tag for node in nodes for tag in node.tags}),
        **dict.fromkeys(("node_names", "from_nodes", "to_nodes"), ("node", names)),
        **dict.fromkeys(("from_inputs", "to_outputs", "load_versions"), ("dataset", datasets)),
    }
    chosen = options["pipelines"] or [options["pipeline"] or "__default__"]
    given = [(*known[option], name) for option in known for name in options[option] or ()]
    given += [(*known["pipelines"], name) for name in chosen]
    if "." not in (runner := options["runner"] or "SequentialRunner"):
        given.append(("runner", set(kedro.runner.__all__), runner))
    for kind, there, name in given:
        if name not in there:
            raise UserError(unknown_name(kind, name, there)) from None
    filters = {name: options[name] for name in known.keys() - NO_FILTERS}
    try:
        sum((pipelines[name] for name in chosen), Pipeline([])).filter(
            node_namespaces=options["namespaces"], **filters
        )
    except ValueError as error:
        raise UserError(str(error)) from None


run = copy.copy(kedro_run)
run.callback = _run
cli.add_command(run)


def project_command(command: Callable[..., None]) -> click.Command:
    """Return a command that gets Kedro's context, and ends with one sentence if it must."""

    @env_option
    @click.option("--conf-source", callback=validate_conf_source, help=CONF_SOURCE_HELP)
    @click.pass_obj
    @wraps(command)
    def start(
        metadata: ProjectMetadata,
        /,
        env: str | None,
        conf_source: str | None,
        **options: Any,  # noqa: ANN401 (the command's)
    ) -> None:
        project = metadata.project_path
        os.chdir(project)  # to which paths in the catalog are relative
        with one_sentence():
            session = KedroSession.create(project, env=env, conf_source=conf_source)
            command(session.load_context(), **options)

    return cli.command()(start)


@project_command
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen. With the default, only this machine can use the page.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="By default 8000, or a free port if that is taken.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@click.option("--model-version", help="Of the final model; by default the champion's.")
@click.option("--access-log", is_flag=True, help="Log each request.")
def demo(
    context: KedroContext,
    host: str,
    port: int | None,
    no_browser: bool,
    model_version: str | None,
    access_log: bool,
) -> None:
    """Draw digits in the browser, for the champion to read.

    Programs can use the same server over HTTP: open /docs on its address.
    """
    from mnist_kedro.serving import champion, server

    champions = champion.Champions(_part_of_catalog(context, champion.SERVED), model_version)
    with server.listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listener.getsockname()[1]}"
        click.echo(f"Draw digits at {address} (Ctrl-C stops)")
        if not server.is_loopback(host):
            click.secho(f"Everybody who can reach {address} can use it.", fg="yellow", err=True)
        if not no_browser and _has_desktop():
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):  # the server has closed all when it passes that on
            serving = server.create_server(champions, host, access_log=access_log)
            serving.run(sockets=[listener])


@project_command
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=5000,
    show_default=True,
    help="Where to serve the page, if the runs are in a database.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
def ui(context: KedroContext, port: int, no_browser: bool) -> None:
    """Open MLflow's page on the candidates of the latest run."""
    from mnist_kedro.tracking.ui import serve

    # Else the server that it starts would outlive it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(SHELL + number))
    with (
        suppress(KeyboardInterrupt),
        serve(_tracking(context), context.project_path, port) as links,
    ):
        for what, link in links.items():
            click.echo(f"{what}:\n  {link}")
        click.echo(
            "Open runs in new tabs: Back forgets these columns. On a run's page MLflow's menu may "
            "turn to GenAI, which changes nothing there. `kedro promote` names the champion."
        )
        if not no_browser and _has_desktop():
            webbrowser.open(next(iter(links.values())))


@project_command
@click.argument("version", required=False)
def promote(context: KedroContext, version: str | None) -> None:
    """Make the final model of VERSION the champion of its data set, or list all final models.

    The page and `inference` read with the champion. An earlier version may become it again.
    """
    from mnist_kedro.pipelines.final_training import promotion
    from mnist_kedro.run.summary import print_models
    from mnist_kedro.tracking.registry import mirror_promotion
    from mnist_kedro.tracking.store import has_store, open_store, project_tag, reached

    catalog = _part_of_catalog(context, ("promotion", "promotions", "final_manifests"))
    if not catalog.exists("final_manifests"):
        raise UserError("expected a final model, found none: run `kedro run` first")
    manifests = {key: load() for key, load in catalog.load("final_manifests").items()}
    promotions = catalog.load("promotions")
    if version is None:
        print_models(promotion.list_models(manifests, promotions))
        return
    decision = promotion.promote(version, manifests, promotions)
    if decision in promotions.values():
        click.echo(f"Version {version} is the champion of {decision['data']} already.")
    else:
        catalog.save("promotion", decision)
        click.echo(
            f"Version {version} is now the champion of {decision['data']}, until a run makes a "
            f"final model that is not worse than the best so far, or somebody promotes another."
        )
    tracking, project = _tracking(context), context.project_path
    try:
        if has_store(tracking, project):
            with reached(tracking.address(project)):
                client, (_, model) = open_store(tracking, project), tracking.names(decision["data"])
                mirror_promotion(client, model, project_tag(project), decision)
    except UserError as error:
        later = "MLflow does not know it yet, the next run or `kedro promote` tells it"
        click.secho(f"{later}: {error}", fg="yellow", err=True)
    if reason := manifests[version]["onnx"].get("reason"):
        click.secho(f"`kedro demo` cannot serve it: {reason}", fg="yellow", err=True)


@project_command
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many of the latest versions of each dataset stay.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
def prune(context: KedroContext, keep: int, dry_run: bool) -> None:
    """Remove old runs: their versions in data/, and what MLflow has of them.

    A run stays whole if it made one of the latest versions of any dataset, if a champion is of this
    version or rests on it, or if a registered model of it has an alias in MLflow.
    """
    from mnist_kedro.run.lock import living_runs
    from mnist_kedro.run.prune import count_bytes, find_old_runs
    from mnist_kedro.tracking.removal import RemovableRuns

    if living := living_runs(context.project_path):
        raise UserError(f"expected no run to be under way, found {living[0]}: wait for its end")
    tracked = RemovableRuns(_tracking(context), context.project_path)
    catalog = cast("DataCatalog", context.catalog)
    found = {run: tracked.find(run.version) for run in find_old_runs(catalog, keep)}
    old = {run: logged for run, logged in found.items() if not tracked.have_alias(logged)}
    sizes = count_bytes(old)
    for run, logged in old.items():
        sizes[run.version] += tracked.count_bytes(logged)
        if not dry_run:
            # The data last: as long as they are there, a second call finds what is left.
            tracked.remove(logged)
            run.remove()
        counts = f"datasets: {len(run.files)}, runs in MLflow: {len(logged)}"
        click.echo(f"{run.version}  {counts}, {sizes[run.version] / 1e6:,.1f} MB")
    what = "would be freed (--dry-run: nothing is changed)" if dry_run else "freed"
    click.echo(f"versions: {len(old)}, {sum(sizes.values()) / 1e6:,.1f} MB {what}")


def _tracking(context: KedroContext) -> TrackingParameters:
    from mnist_kedro.tracking.store import TrackingParameters

    return TrackingParameters.model_validate(context.params["tracking"])


def _part_of_catalog(context: KedroContext, names: Iterable[str]) -> DataCatalog:
    """Return a catalog of these datasets; the whole one would import all that the stages need."""
    loader = context.config_loader
    credentials: dict[str, Any] = {}
    with suppress(MissingConfigException):
        credentials = loader["credentials"]
    return DataCatalog.from_config({name: loader["catalog"][name] for name in names}, credentials)


def _has_desktop() -> bool:
    """Tell whether a browser would have a window."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in names)
