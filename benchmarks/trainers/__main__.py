"""`python -m benchmarks.trainers --row ORDER`: train in this process, print what came of it."""

import importlib
import json
import sys

from benchmarks.trainers.order import Clock, Order, answer

if __name__ == "__main__":
    order = Order(**json.loads(sys.argv[2]))
    clock = Clock(order.steps)
    trainer = importlib.import_module(f"benchmarks.trainers.{order.way}")  # and no other library
    print(json.dumps(answer(order, clock, trainer.train(order, clock))))
