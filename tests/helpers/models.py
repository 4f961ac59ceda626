"""What a tree of parameters says of its network."""

import jax


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


def widths(params):
    layers = sorted((name, layer) for name, layer in params.items() if name != 'logits')
    return [layer['kernel'].shape for _, layer in layers] + [params['logits']['kernel'].shape]
