"""A network as a function with nothing left to look up: constants for weights, one graph.

Freezing lets TensorFlow join bias and ReLU to the convolutions and lay weights out once. It runs in
a session of its own, whose options and threads touch nothing else in the process.

On the CPU the films of a batch go through it one by one, as many at a time as there are threads:
their layers stay in the caches, and no core waits for another at the end of each layer. These
threads do nothing else. TensorFlow keeps oneDNN's kernels by thread and shape, and in a thread that
has trained a network of the same shapes it would take over the kernels made for that, which round
otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import rewriter_config_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

Predict = Callable[[np.ndarray], np.ndarray]


def freeze(model: keras.Model, *, onednn_bfloat16: bool) -> Predict:
    """The network in inference mode, with its weights as they are now.

    Args:
        model: takes (B, H, W, 1) in 0…1, gives (B, H, W, 1).
        onednn_bfloat16: multiply in bfloat16 on the CPU; the model itself is float32.

    Returns:
        uint8 (B, H, W, 1) to float32 (B, H, W). One graph serves every B.
    """
    _, height, width, channels = model.input_shape

    def call(images: tf.Tensor) -> tf.Tensor:
        inputs = tf.cast(images, tf.float32) / 255.0
        return tf.cast(model(inputs, training=False)[..., 0], tf.float32)

    traced = tf.function(call, autograph=False).get_concrete_function(
        tf.TensorSpec((None, height, width, channels), tf.uint8, name="images")
    )
    frozen = convert_variables_to_constants_v2(traced)
    config = tf.compat.v1.ConfigProto()
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    config.intra_op_parallelism_threads = threads
    config.inter_op_parallelism_threads = -1  # each call in the thread that it comes from
    config.gpu_options.allow_growth = True
    if onednn_bfloat16:
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(frozen.graph.as_graph_def(), name="")
    session = tf.compat.v1.Session(graph=graph, config=config)
    output, inputs = frozen.outputs[0].name, frozen.inputs[0].name
    run: Predict = session.make_callable(output, feed_list=[inputs])
    if tf.config.list_physical_devices("GPU"):
        return run
    return _one_by_one(run, threads or len(os.sched_getaffinity(0)))


def _one_by_one(run: Predict, threads: int) -> Predict:
    pool = ThreadPoolExecutor(threads)

    def predict(images: np.ndarray) -> np.ndarray:
        films = [images[index : index + 1] for index in range(len(images))] or [images]
        return np.concatenate(list(pool.map(run, films)))

    return predict
