"""One synthetic chest radiograph with its lung mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.phantoms.anatomy import sample_build
from lungseg.phantoms.attenuation import attenuate
from lungseg.phantoms.film import collimate, devices, expose
from lungseg.phantoms.lungs import outline_lungs
from lungseg.phantoms.pose import frame, posed, sample_pose

FILMS = 5
"""Of every five films, the last two show the same patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A drawn film and its facts, named as in `lungseg.case.Case`."""

    image: np.ndarray
    """uint8 (H, W), bright where dense."""
    mask: np.ndarray
    """bool (H, W): the two lung fields, heart excluded."""
    case_id: str
    patient_id: str
    sex: str
    age: int
    """Years."""
    finding: str
    view: str
    mask_convention: str = "heart-excluded"
    source: str = "phantoms"


def draw(index: int, *, seed: int, size: int) -> Phantom:
    """Draw one film; the same arguments give the same film on every machine.

    The anatomy follows from `seed` and `index` alone: another size gives the same patient in the
    same pose, with other noise.

    Args:
        index: number of the film, from 0.
        seed: number of the data set.
        size: longer side in px; the shape of the film varies.
    """
    patient = index - 1 if index % FILMS == FILMS - 1 else index
    build = sample_build(np.random.default_rng([seed, 0, patient]))
    rng = np.random.default_rng([seed, 1, index])
    pose = sample_pose(rng)
    shown = posed(build, pose)
    projection = frame(shown, pose, size)
    lungs = outline_lungs(shown, pose, projection)
    attenuation = attenuate(shown, pose, projection, lungs, rng)
    attenuation += devices(shown, pose, projection, rng)
    # Noise last: it alone draws a number of random values that depends on the size.
    marks, noise = rng.spawn(2)
    film = expose(attenuation, pose, projection, noise)
    return Phantom(
        image=collimate(film, pose, projection, marks),
        mask=lungs.fields,
        case_id=f"phantom_{index:05d}",
        patient_id=f"patient_{patient:05d}",
        sex=build.sex,
        age=build.age,
        finding=pose.finding,
        view=pose.view,
    )
