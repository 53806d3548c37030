"""A frozen network gives each film the same, whatever comes with it and whoever asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from lungseg import networks
from lungseg.frozen import freeze


@pytest.mark.parametrize("onednn_bfloat16", [False, True])
def test_a_film_is_the_same_alone_and_in_any_batch(onednn_bfloat16: bool) -> None:
    keras.utils.set_random_seed(1)
    network = networks.build("unet", size=32, widths=(4, 8))
    run = freeze(network, onednn_bfloat16=onednn_bfloat16)
    films = np.random.default_rng(0).integers(0, 255, (7, 32, 32, 1)).astype(np.uint8)
    # Leaves kernels for one film in this thread, as a training does.
    network(films[:1] / np.float32(255))
    alone = np.concatenate([run(films[index : index + 1]) for index in range(7)])
    assert alone.shape == (7, 32, 32)
    assert alone.dtype == np.float32
    for size in (2, 3, 7):
        np.testing.assert_array_equal(run(films[:size]), alone[:size])
    with ThreadPoolExecutor(4) as pool:
        for together in pool.map(run, [films] * 8):
            np.testing.assert_array_equal(together, alone)
