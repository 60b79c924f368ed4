"""A network of one's own, written as one line: built, looked at, and trained: python own_network.py [EPOCHS]"""

import sys

import torch

import striate

NETWORK = """
conv 24 3, batchnorm, relu,
2*(residual(conv 24 3, batchnorm, relu, conv 24 3, batchnorm)),
maxpool 2, conv 48 3, leaky-relu, globalavgpool, dropout 0.1, dense classes
"""


def main(epochs: int) -> None:
    # What comes back is an ordinary torch network: a Sequential that remembers the line it was made from.
    network = striate.network(NETWORK, input_shape=(1, 8, 8), classes=10)
    for name, layer in network.named_children():
        print(f"{name:15} {sum(p.numel() for p in layer.parameters()):7,} parameters")
    print("one picture in, out come", *network(torch.zeros(1, 1, 8, 8)).shape[1:], "numbers")
    run = striate.train(network=NETWORK, epochs=epochs, lr=2e-3, name="own-network")
    print(f"test accuracy {run.test['accuracy']['value']:.3f} after {epochs} epochs; all of it is in {run.folder}")


if __name__ == "__main__":
    if "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
