"""`python -m benchmarks.trainers --row ORDER`: train in this process, print what came of it."""

import importlib
import json
import sys

from benchmarks.trainers.order import Clock, Order

if __name__ == "__main__":
    order, clock = Order(**json.loads(sys.argv[2])), Clock()
    trainer = importlib.import_module(f"benchmarks.trainers.{order.way}")  # and no other library
    print(json.dumps({"accuracy": trainer.train(order, clock)} | clock.last_epoch))
