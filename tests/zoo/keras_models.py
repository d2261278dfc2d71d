"""Keras networks on the torch backend, one for each family of layers. A target file, too: ``keras_models.py:perceptron``."""

from __future__ import annotations

import keras
from keras import layers


def perceptron(depth=2, width=32, initializer="he_normal"):
    return keras.Sequential(
        [
            keras.Input((16,)),
            *(layers.Dense(width, activation="relu", kernel_initializer=initializer) for _ in range(depth)),
            layers.Dense(3),
        ]
    )


def vanishing():
    return perceptron(depth=24, initializer="glorot_normal")


def pyramid():
    return keras.Sequential(
        [
            keras.Input((12, 10, 3)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.SeparableConv2D(6, 3, padding="same", activation="tanh"),
            layers.Conv2DTranspose(5, 2, strides=2),
            layers.Conv2D(4, 1, groups=1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="head"),
        ]
    )


def tagger():
    return keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(50, 16),
            layers.LSTM(12, return_sequences=True),
            layers.Bidirectional(layers.GRU(9, return_sequences=True)),
            layers.SimpleRNN(5),
            layers.Dense(4),
        ]
    )


def attention():
    x = tokens = keras.Input((6, 16))
    normed = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8, dropout=0.1)(normed, normed)])
    wide = layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(16)(wide)])
    return keras.Model(tokens, layers.Dense(3, name="logits")(x))


def two_inputs():
    left, right = keras.Input((5,), name="left"), keras.Input((3,), name="right")
    joined = layers.Concatenate()([layers.Dense(4)(left), layers.Dense(4)(right)])
    return keras.Model([left, right], layers.Dense(2)(joined))


def named_inputs():
    left, right = keras.Input((5,), name="left"), keras.Input((3,), name="right")
    joined = layers.Concatenate()([layers.Dense(4)(left), layers.Dense(4)(right)])
    return keras.Model({"right": right, "left": left}, layers.Dense(2)(joined))


def frozen():
    model = perceptron()
    model.layers[0].trainable = False
    return model


def nested():
    body = keras.Sequential([keras.Input((16,)), layers.Dense(16, activation="relu"), layers.Dropout(0.5)], name="body")
    return keras.Sequential([keras.Input((16,)), body, layers.Dense(2, name="output")])


class Written(keras.Model):
    """Layers called in code, names that torch's modules use themselves, a weight of its own."""

    def __init__(self):
        super().__init__()
        self.dense_1 = layers.Dense(8, activation="relu")
        self.last = layers.Dense(8, name="half")
        self.scale = self.add_weight(shape=(8,), initializer="ones", name="scale")

    def call(self, inputs, training=False):
        hidden = self.last(self.dense_1(inputs))
        return hidden * self.scale if training else hidden


def written():
    model = Written()
    inputs = keras.random.normal((8, 16), seed=0)
    model(inputs)
    return model, inputs


def unbuilt():
    return keras.Sequential([layers.Dense(4), layers.Dense(2)])


def unbuilt_with_inputs():
    return unbuilt(), keras.ops.ones((4, 16))


def half_precision():
    return keras.Sequential([keras.Input((16,)), layers.Dense(4, dtype="bfloat16")])


def open_shape():
    tokens = keras.Input((None, 16))
    return keras.Model(tokens, layers.Dense(2)(tokens))


instance = perceptron()
