"""Networks of timm with random weights by a rule, and what they put out.

    python tests/helpers/timm_networks.py

writes to tests/models/timm.npz the names and shapes of two narrow networks and their outputs, for
machines without timm. It needs timm, and NumPy alone besides.
"""

from pathlib import Path

import numpy as np

SIZES = (100, 112, 224)
NARROW = {18: 8, 50: 8}  # depth and width
FEATURES = 10
STORED = Path(__file__).parents[1] / 'models' / 'timm.npz'


def random_weights(names, shapes) -> dict[str, np.ndarray]:
    """Weights and running statistics, each of its own, under which outputs are of order 1."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in zip(names, shapes, strict=True):
        if len(shape) == 4:
            array = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        elif name.endswith('running_var'):
            array = rng.uniform(0.5, 1.5, shape)
        else:
            array = name.endswith('.weight') + 0.1 * rng.normal(size=shape)
        weights[name] = array.astype(np.float32)
    return weights


def stored_weights(depth: int) -> dict[str, np.ndarray]:
    """What the network of `make_narrow` has, without timm."""
    with np.load(STORED) as stored:
        names, shapes = (stored[f'{what}{depth}'] for what in ('names', 'shapes'))
    return random_weights(names.tolist(), [tuple(sides[sides > 0]) for sides in shapes])


def pictures(size: int) -> np.ndarray:
    """Two pictures, scaled to -1..1."""
    rng = np.random.default_rng(size)
    return rng.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)


def make_narrow(depth: int):
    """A network of timm with the widths of `NARROW`."""
    import timm

    width = NARROW[depth]
    channels = [width * 2**stage * (4 if depth >= 50 else 1) for stage in range(4)]
    return timm.create_model(
        f'resnetv2_{depth}', channels=channels, stem_chs=width, num_classes=FEATURES
    )


def randomize(network) -> dict[str, np.ndarray]:
    """Gives a network random weights, which are returned."""
    import torch

    state = network.state_dict()
    names = [name for name in state if not name.endswith('num_batches_tracked')]
    weights = random_weights(names, [tuple(state[name].shape) for name in names])
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    network.load_state_dict(state | tensors)
    return weights


def outputs(network, size: int) -> np.ndarray:
    """What a network of timm puts out for `pictures`."""
    import torch

    with torch.no_grad():
        channels_first = torch.from_numpy(pictures(size).transpose(0, 3, 1, 2))
        return network.eval()(channels_first).numpy()


def main() -> None:
    arrays = {}
    for depth in NARROW:
        network = make_narrow(depth)
        weights = randomize(network)
        shapes = [[*array.shape, 0, 0, 0][:4] for array in weights.values()]
        arrays |= {f'names{depth}': list(weights), f'shapes{depth}': shapes}
        arrays |= {f'outputs{depth}_{size}': outputs(network, size) for size in SIZES}
    np.savez_compressed(STORED, **arrays)


if __name__ == '__main__':
    main()
