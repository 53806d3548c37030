"""The verbs of `lungseg` that look at a cluster instead of working on films."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.options import Address, Assignments, Config, Preset, settings_of
from lungseg.errors import UserError

Dashboard = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="Dashboard of the cluster, http://HEAD:8265; else RAY_API_SERVER_ADDRESS.",
    ),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Id of the job.")]

jobs_app = typer.Typer(
    help="List, read and stop the jobs of a cluster.", no_args_is_help=True, add_completion=False
)


def submit(
    context: typer.Context,
    verb: Annotated[str, typer.Argument(metavar="VERB…", help="The verb, then its own options.")],
    address: Dashboard = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the job's id and return.")
    ] = False,
    retries: Annotated[
        int,
        typer.Option("--retries", min=0, help="Submit a failed or lost job again, so many times."),
    ] = 0,
) -> None:
    """Run a verb on a cluster far away: upload this code, follow the log, end as the job ends.

    All words but the options below go to the verb. Paths among them are the cluster's, best
    absolute or URLs; relative ones start at the home folder of the cluster's user. The token of a
    cluster with token authentication comes from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or
    ~/.ray/auth_token; the certificate of an authority of your own from SSL_CERT_FILE.
    """
    root = context.find_root().command
    verbs = getattr(root, "commands", {})
    allowed = sorted(set(verbs) - {"submit", "jobs"})
    if verb not in allowed:
        raise UserError(f"there is no verb {verb!r} to submit: take one of {', '.join(allowed)}")
    if "--help" not in context.args:
        # What is wrong with the words is told before anything is uploaded.
        verbs[verb].make_context(verb, [*context.args])
    from jobs.submit import submit as job

    job(verb, context.args, address, wait=not no_wait, retries=retries)


def doctor(
    context: typer.Context,
    storage: Annotated[
        str, typer.Option("--storage", help="Path or URL that every node must reach.")
    ] = "",
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Measure rates, about a minute.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="All that is known and all architectures, as JSON.")
    ] = False,
    preset: Preset = None,
    compute_address: Address = None,
    config: Config = None,
    assignments: Assignments = None,
) -> None:
    """What this machine or a cluster offers, whether its nodes agree, and what to ask of it."""
    settings = settings_of(context)
    from jobs.doctor import examine, tell
    from jobs.session import session
    from lungseg.storage import absolute

    with session(settings.compute):
        facts = examine(settings, absolute(storage) if storage else "", measure=measure)
    tell(facts, as_json=as_json)


def status(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of the run, or its URL.")],
    as_json: Annotated[bool, typer.Option("--json", help="All that is known, as JSON.")] = False,
) -> None:
    """How far a run is, from what lies in its folder; also while it goes on."""
    from jobs.status import status as job
    from lungseg import storage

    job(storage.absolute(run), as_json=as_json)


@jobs_app.command("list")
def list_jobs(address: Dashboard = None) -> None:
    """Id, state, start, minutes and command of each submitted job."""
    from jobs.jobs import list_jobs as job

    job(address)


@jobs_app.command()
def logs(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends.")] = False,
    address: Dashboard = None,
) -> None:
    """Print the log of a job."""
    from jobs.jobs import show_log

    show_log(job, address, follow=follow)


@jobs_app.command()
def stop(job: JobId, address: Dashboard = None) -> None:
    """Stop a job; the same command goes on later."""
    from jobs.jobs import stop_job

    stop_job(job, address)
