"""f, g, e_1..e_H and d under one apply."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from cda_jax.gradient_reversal import reverse_gradient
from cda_jax.models.mlp import Perceptron
from cda_jax.models.transition import near_identity, site_log_probabilities

# The logit of a class that a classifier does not answer for: its probability is exactly 0, and yet
# nothing that is computed from it is infinite.
ABSENT = -1e9


class Outputs(NamedTuple):
    """What a training pass puts out.

    Attributes:
        features: f(x).
        emotion_logits: e_h(f(x)) of every head; of a class that it does not answer for, a number
            so low that the class has probability 0.
        label_codes: What g makes of the label: its raw output ('hard'), that output's softmax
            ('soft'), or the label itself without g ('none').
        dataset_logits: d(R(f(x)), R(g(y))), or d(R(f(x) p)) with the outer product of the features
            and the emotion probabilities p ('conditional_adversary'); None without d.
    """

    features: Float[Array, 'B D']
    emotion_logits: Float[Array, 'H B C']
    label_codes: Float[Array, 'B C']
    dataset_logits: Float[Array, 'B K'] | None


class CDA(nn.Module):
    """The network of cross-dataset adaptation, or a baseline with parts of it left out.

    Source: Han et al. (2020), figure 2 and table 3, https://doi.org/10.1109/ACCESS.2020.3018738

    Attributes:
        num_classes: C, the classes of the label.
        num_site_heads: Emotion classifiers that answer for one site each; 0 or the number of sites.
        common_head: Whether an emotion classifier answers for all sites: the only one of a network
            whose sites share it, or a further one beside theirs. It is the last of the H heads.
        transition_matrices: Whether the sites' classifiers are the common one, then followed by a
            matrix for each site; the common one learns from these alone.
        num_sites: K, the sites that d tells apart.
        pseudo_label: How g takes part: 'hard' or 'soft'; 'none' leaves g out.
        alignment: Whose reversed gradient makes the sites' features alike: that of the paper's d
            ('adversary'); of CDAN's, Long et al. (2018), https://arxiv.org/abs/1705.10667, which
            reaches the emotion classifiers as well, through p, as in that paper's minimax game
            ('conditional_adversary'); or that of none, without d ('none').
        classifier_widths: Hidden layers of the emotion and dataset classifiers.
        dataset_classifier_dropout: Of d, which the paper has not.
        site_classes: The classes that each site has, and its own classifier answers for: none where
            the site is unlabelled. Empty: every site has all of them.
    """

    feature_extractor: nn.Module
    num_classes: int
    num_site_heads: int
    common_head: bool
    num_sites: int
    pseudo_label: str = 'hard'
    alignment: str = 'adversary'
    classifier_widths: Sequence[int] = (512, 256)
    label_extractor_widths: Sequence[int] = (512, 512, 512, 512, 256)
    dropout: float = 0.5
    dataset_classifier_dropout: float = 0.0
    negative_slope: float = 0.2
    transition_matrices: bool = False
    site_classes: Sequence[Sequence[int]] = ()

    @property
    def num_heads(self) -> int:
        """H, the number of emotion classifiers."""
        return self.num_site_heads + self.common_head

    @property
    def unlabelled(self) -> list[int]:
        """The sites without labels."""
        return [site for site, own in enumerate(self.site_classes) if not own]

    @property
    def classes_of_sites(self) -> Bool[np.ndarray, 'K C']:
        """Which classes each site has."""
        every = range(self.num_classes)
        of_sites = self.site_classes or [every] * self.num_sites
        return np.array([[label in own for label in every] for own in of_sites])

    @property
    def classes_of_heads(self) -> Bool[np.ndarray, 'H C']:
        """Which classes each emotion classifier answers for; a common one for all."""
        own = self.classes_of_sites[: self.num_site_heads]
        return np.concatenate([own, np.ones((int(self.common_head), self.num_classes), bool)])

    @property
    def has_label_extractor(self) -> bool:
        """Whether g takes part."""
        return self.pseudo_label != 'none'

    @property
    def has_dataset_classifier(self) -> bool:
        """Whether d takes part."""
        return self.alignment in ('adversary', 'conditional_adversary')

    def setup(self):
        """Names the parts; the parameter tree has the same names."""
        perceptron = functools.partial(Perceptron, negative_slope=self.negative_slope)
        self.emotion_classifiers = [
            perceptron(self.num_classes, self.classifier_widths)
            for _ in range(1 if self.transition_matrices else self.num_heads)
        ]
        if self.transition_matrices:
            self.transitions = self.param(
                'transitions', near_identity, self.num_site_heads, self.num_classes
            )
        if self.has_label_extractor:
            self.label_extractor = perceptron(
                self.num_classes, self.label_extractor_widths, dropout=self.dropout
            )
        if self.has_dataset_classifier:
            self.dataset_classifier = perceptron(
                self.num_sites,
                self.classifier_widths,
                dropout=self.dataset_classifier_dropout,
                first_layer=1000,  # far from those of the label extractor, which has the same keys
            )

    def __call__(
        self,
        images: Float[Array, 'B S S 3'],
        labels: Float[Array, 'B C'],
        lambda_1: Float[Array, ''] | float,
        lambda_2: Float[Array, ''] | float,
        dropout_keys: Key[Array, ' B'],
        sites: Int[Array, ' B'] | None = None,
    ) -> Outputs:
        """Runs every part for training.

        The gradient that comes back to the features from the emotion classifiers, and that from
        the reversal, are those with respect to the two arrays of zeros, [B, D], that `apply` takes
        as the collection 'perturbations': `to_emotions` and `to_reversal`.

        Args:
            images: Scaled to about -1 to 1.
            labels: Zeros where there is none: what the network predicts takes its place.
            lambda_1: Strength of the reversal between d and f; lambda_2 is that of d and g.
            sites: Needed by the conditional adversary and by batch norm by site.
        """
        features = self.feature_extractor(images, sites, train=True)
        is_labelled = labels.any(axis=-1, keepdims=True)
        if self.unlabelled:
            predicted = self.mean_of_sites(jax.nn.softmax(self._emotions(features)))
            labels = jnp.where(is_labelled, labels, jax.lax.stop_gradient(predicted))
        label_codes = labels
        if self.has_label_extractor:
            label_codes = self.label_extractor(labels, dropout_keys)
        if self.pseudo_label == 'soft':
            label_codes = jax.nn.softmax(label_codes)
        dataset_logits = None
        if self.has_dataset_classifier:
            # d descends its loss at full weight; f and g, or f and e, feel it reversed.
            seen = self.perturb('to_reversal', features)
            if self.alignment == 'conditional_adversary':
                logits = self._emotions(seen)
                own = jax.nn.softmax(own_logits(logits, sites, self.num_site_heads))
                if self.unlabelled:
                    own = jnp.where(is_labelled, own, self.mean_of_sites(jax.nn.softmax(logits)))
                products = seen[:, :, None] * own[:, None]
                seen = reverse_gradient(products.reshape(len(products), -1), lambda_1)
            else:
                seen_codes = reverse_gradient(label_codes, lambda_2)
                seen = jnp.concatenate([reverse_gradient(seen, lambda_1), seen_codes], axis=-1)
            dataset_logits = self.dataset_classifier(seen, dropout_keys)
        emotion_logits = self._emotions(self.perturb('to_emotions', features))
        return Outputs(features, emotion_logits, label_codes, dataset_logits)

    def classify(
        self, images: Float[Array, 'B S S 3'], sites: Int[Array, ' B'] | None = None
    ) -> tuple[Float[Array, 'B D'], Float[Array, 'H B C']]:
        """Features and emotion logits, with batch norm's running statistics.

        Batch norm by site takes `sites`: below 0 for pictures of none of them, None if all are.
        """
        features = self.feature_extractor(images, sites, train=False)
        return features, self._emotions(features)

    def mean_of_sites(self, probabilities: Float[Array, 'H B C']) -> Float[Array, 'B C']:
        """The probabilities by the mean of the sites' classifiers, or by the one that they share.

        Of each class, the mean over the classifiers that answer for it.
        """
        count = self.num_site_heads or 1
        probabilities, answers = probabilities[:count], self.classes_of_heads[:count]
        if answers.all():
            return probabilities.mean(axis=0)
        mean = (probabilities * answers[:, None]).sum(axis=0) / answers.sum(axis=0)[None]
        return mean / mean.sum(axis=-1, keepdims=True)

    def _emotions(self, features):
        logits = jnp.stack([classify(features) for classify in self.emotion_classifiers])
        if self.transition_matrices:
            of_sites = site_log_probabilities(logits[0], self.transitions)
            logits = jnp.concatenate([of_sites, logits])
        answers = self.classes_of_heads
        return logits if answers.all() else jnp.where(answers[:, None], logits, ABSENT)


def own_logits(
    emotion_logits: Float[Array, 'H B C'], sites: Int[Array, ' B'], num_site_heads: int
) -> Float[Array, 'B C']:
    """Each sample's logits by the classifier of its site, or by the one that all sites share."""
    heads = sites if num_site_heads else jnp.zeros_like(sites)
    return emotion_logits[heads, jnp.arange(len(sites))]


def pseudo_labels(
    label_codes: Float[Array, 'B C'], kind: str, classes: Bool[Array, 'B C'] | None = None
) -> Float[Array, 'B C']:
    """The targets of the emotion classifiers, constants to differentiation.

    They are the one-hot of the largest of the `label_codes` in `Outputs` where the kind is 'hard',
    and the codes as they are otherwise. `classes` are those that a hard one may name.
    """
    codes = jax.lax.stop_gradient(label_codes)
    if kind == 'hard':
        codes = codes if classes is None else jnp.where(classes, codes, -jnp.inf)
        return jax.nn.one_hot(jnp.argmax(codes, axis=-1), codes.shape[-1])
    return codes
