"""The command `lungseg`: its verbs are the jobs.

Exit status 0: done; 1: the work failed; 2: the request was wrong. Neither ends in a traceback.
TensorFlow and Ray are imported by the verbs that need them, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from jobs.command_cluster import doctor, jobs_app, status, submit
from jobs.command_data import phantoms, shard
from jobs.command_models import evaluate, export, predict, report
from jobs.command_train import run, train, tune
from jobs.failures import storage_line
from jobs.options import EPILOG
from lungseg.errors import UserError, WorkError

_INTERRUPTED = 130
"""What Typer makes of Ctrl-C."""

app = typer.Typer(
    name="lungseg",
    help="Train, compare and apply lung segmentation on chest radiographs, on Ray.",
    epilog="lungseg VERB --help tells the options and every setting of a verb.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

_JOBS: list[Callable[..., None]] = [run, shard, tune, train, evaluate, report, predict, doctor]
for verb in _JOBS:
    app.command(epilog=EPILOG)(verb)
app.command()(export)
app.command()(phantoms)
app.command()(status)
# Its words are those of another verb.
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(submit)
app.add_typer(jobs_app, name="jobs")


def main(*verb: str) -> None:
    """Run the command, or one verb of it; every known failure is one line on standard error."""
    status = _status([*verb, *sys.argv[1:]])
    if status == _INTERRUPTED:
        # Python would wait for the threads that still ask Ray for something.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
    sys.exit(status)


def _status(arguments: list[str]) -> int:
    from jobs.screen import complain

    try:
        status: Any = app(args=arguments, standalone_mode=False)
    except UserError as error:
        complain(str(error))
        return 2
    except WorkError as error:
        complain(str(error))
        return 1
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 1
    except Exception as error:
        if line := storage_line(error):
            complain(line)
            return 1
        # The parser's own complaints, whose class Typer keeps to itself.
        if not hasattr(error, "format_message"):
            raise
        complain(error.format_message())
        return 2
    if status == _INTERRUPTED:
        complain("stopped; the same command goes on from here")
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    main()
