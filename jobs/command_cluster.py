"""The verbs of `lungseg` that look at a cluster instead of working on films."""

from __future__ import annotations

from typing import Annotated

import typer

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


def add_to(app: typer.Typer) -> None:
    """Register these verbs with the command."""
    words = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=words)(submit)
    app.add_typer(jobs_app, name="jobs")
