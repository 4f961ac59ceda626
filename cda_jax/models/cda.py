"""f, g, e_1..e_H and d under one apply."""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from cda_jax.gradient_reversal import reverse_gradient
from cda_jax.models.mlp import Classifier, LabelExtractor

PSEUDO_LABELS = ('hard', 'soft', 'none')


class Outputs(NamedTuple):
    """What a training pass puts out.

    Attributes:
        features: float32[B, D], f(x).
        emotion_logits: float32[H, B, C], e_h(f(x)) of every head.
        label_codes: float32[B, C], what g makes of the label: its raw output ('hard'), that
            output's softmax ('soft'), or the label itself without g ('none').
        dataset_logits: float32[B, K], d(R(f(x)), R(g(y))); None without d.
    """

    features: jax.Array
    emotion_logits: jax.Array
    label_codes: jax.Array
    dataset_logits: jax.Array | None


class CDA(nn.Module):
    """The network of cross-dataset adaptation, or a baseline with parts of it left out.

    Source: Han et al. (2020), figure 2 and table 3.

    Attributes:
        feature_extractor: f.
        num_classes: C, the classes of the label.
        num_site_heads: Emotion classifiers that answer for one site each; 0 or the number of sites.
        common_head: Whether an emotion classifier answers for all sites: the only one of a network
            whose sites share it, or a further one beside theirs. It is the last of the H heads.
        num_sites: K, the sites that d tells apart; 0 leaves d out.
        pseudo_label: How g takes part, one of `PSEUDO_LABELS`; 'none' leaves g out.
        classifier_widths: Hidden layers of the emotion and dataset classifiers.
        label_extractor_widths: Hidden layers of g.
        dropout: Of g.
        dataset_classifier_dropout: Of d, which the paper has not.
        negative_slope: Of LeakyReLU.
    """

    feature_extractor: nn.Module
    num_classes: int
    num_site_heads: int
    common_head: bool
    num_sites: int
    pseudo_label: str = 'hard'
    classifier_widths: Sequence[int] = (512, 256)
    label_extractor_widths: Sequence[int] = (512, 512, 512, 512, 256)
    dropout: float = 0.5
    dataset_classifier_dropout: float = 0.0
    negative_slope: float = 0.2

    @property
    def num_heads(self) -> int:
        """H, the number of emotion classifiers."""
        return self.num_site_heads + self.common_head

    @property
    def has_label_extractor(self) -> bool:
        """Whether g takes part."""
        return self.pseudo_label != 'none'

    def setup(self):
        """Names the parts; the parameter tree has the same names."""
        self.emotion_classifiers = [
            Classifier(self.num_classes, self.classifier_widths, self.negative_slope)
            for _ in range(self.num_heads)
        ]
        if self.has_label_extractor:
            self.label_extractor = LabelExtractor(
                self.num_classes, self.label_extractor_widths, self.dropout, self.negative_slope
            )
        if self.num_sites:
            self.dataset_classifier = Classifier(
                self.num_sites,
                self.classifier_widths,
                self.negative_slope,
                self.dataset_classifier_dropout,
            )

    def __call__(
        self,
        images: jax.Array,
        labels: jax.Array,
        lambda_1: jax.Array,
        lambda_2: jax.Array,
        dropout_keys: jax.Array,
        taps: jax.Array | None = None,
    ) -> Outputs:
        """Runs every part for training.

        Args:
            images: float[B, H, W, 3].
            labels: float32[B, C], one-hot.
            lambda_1: Scalar, strength of the reversal between d and f.
            lambda_2: Scalar, strength of the reversal between d and g.
            dropout_keys: key[B], a random key for each row.
            taps: float32[2, B, D], added to the features that the emotion classifiers see and to
                those that reach the reversal. At zero they change nothing, and differentiating by
                them gives the gradient that comes back to the feature on each of the two ways.
        """
        features = self.feature_extractor(images, train=True)
        to_emotions, to_reversal = (features, features) if taps is None else features + taps
        label_codes = self._encode(labels, dropout_keys)
        dataset_logits = None
        if self.num_sites:
            seen_by_d = (
                reverse_gradient(to_reversal, lambda_1),
                reverse_gradient(label_codes, lambda_2),
            )
            dataset_logits = self.dataset_classifier(
                jnp.concatenate(seen_by_d, axis=-1), dropout_keys
            )
        return Outputs(features, self._emotions(to_emotions), label_codes, dataset_logits)

    def classify(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Features float32[B, D] and emotion logits float32[H, B, C], with running statistics."""
        features = self.feature_extractor(images, train=False)
        return features, self._emotions(features)

    def _emotions(self, features):
        return jnp.stack([classify(features) for classify in self.emotion_classifiers])

    def _encode(self, labels, dropout_keys):
        if not self.has_label_extractor:
            return labels
        scores = self.label_extractor(labels, dropout_keys)
        return jax.nn.softmax(scores) if self.pseudo_label == 'soft' else scores


def pseudo_labels(label_codes: jax.Array, kind: str) -> jax.Array:
    """The targets of the emotion classifiers, constants to differentiation.

    Args:
        label_codes: float32[B, C], as in `Outputs`.
        kind: 'hard' for the one-hot of the largest code; 'soft' and 'none' take the
            codes as they are.

    Returns:
        float32[B, C].
    """
    codes = jax.lax.stop_gradient(label_codes)
    if kind == 'hard':
        return jax.nn.one_hot(jnp.argmax(codes, axis=-1), codes.shape[-1])
    return codes
