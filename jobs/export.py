"""`lungseg export`: a trained network as a file that other programs run; needs no cluster."""

from __future__ import annotations

from jobs.screen import say
from jobs.session import silence
from lungseg import storage


def export(model: str, out: str, name: str, variant: str, shards: str | None) -> None:
    """Export a model and tell how the file agrees with Keras.

    Args:
        model: its folder.
        out: path of the file, or of a folder for it.
        name: of the format.
        variant: of the arithmetic.
        shards: films to compare on; phantoms by default.
    """
    with silence():
        from lungseg.export.write import export as write
        from lungseg.export.write import written

        agreement = write(model, out, name, variant, shards)
    say(
        f"         on {agreement.films}: masks differ from Keras's in {agreement.pixels:.4%} of "
        f"the pixels, probabilities by {agreement.largest_difference:.2g} at most"
    )
    say(
        f"         Dice {agreement.dice:.4f}, Keras {agreement.dice_keras:.4f}, "
        f"lost {agreement.dice_lost:+.4f}"
    )
    size = sum(storage.size(path) for path in written(out, name)) / 2**20
    say(f"         {out}: {size:.1f} MiB")


if __name__ == "__main__":
    from jobs.command import main

    main("export")
