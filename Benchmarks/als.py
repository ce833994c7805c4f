#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training speed of ModelKit's ALS against PyPI `implicit`, in one run on the same matrix, factors and threads.

usage: Benchmarks/als.py [--binary movie-recommender] [--ratings N] [--factors K] [--threads T] [--iterations I]
                         [--movielens DIR]

Prints one JSON object: median seconds per iteration of both, and how many times faster ModelKit is (`speedup`). Both
train with confidence 1 + r, lambda 0.05, and three conjugate-gradient steps or Cholesky; neither computes the loss.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # implicit brings its own threads and warns otherwise


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(root / ".build/release/movie-recommender"))
    parser.add_argument("--ratings", type=int, default=20_000_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--movielens", help="MovieLens folder to take the ratings from")
    options = parser.parse_args()
    try:
        import numpy as np
        import scipy.sparse as sparse
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError as error:
        sys.exit(f"als.py: {error}; install the peer with: .venv/bin/pip install -r scripts/requirements-bench.txt")
    if not os.access(options.binary, os.X_OK):
        sys.exit(f"als.py: {options.binary} is missing; build it with: swift build -c release --product movie-recommender")

    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "matrix")
        command = [options.binary, "bench-als", "--dump", dump]
        for name in ("ratings", "factors", "threads", "iterations"):
            command += [f"--{name}", str(getattr(options, name))]
        if options.movielens:
            command += ["--movielens", options.movielens]
        ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        with open(dump, "rb") as file:
            rows, columns, count = np.fromfile(file, np.int64, 3)
            offsets = np.fromfile(file, np.int64, rows + 1)
            indices = np.fromfile(file, np.int32, count)
            values = np.fromfile(file, np.float32, count)
    # implicit takes the confidence itself.
    matrix = sparse.csr_matrix((1 + values, indices, offsets), shape=(rows, columns))

    report = {name: ours[name] for name in ("ratings", "users", "items", "factors", "threads")}
    for name, use_cg in (("implicitCG", True), ("implicitCholesky", False)):
        seconds = []
        peer = AlternatingLeastSquares(
            factors=options.factors,
            regularization=0.05,
            alpha=1.0,
            use_cg=use_cg,
            iterations=options.iterations,
            num_threads=options.threads,
            random_state=1,
        )
        peer.fit(matrix, show_progress=False, callback=lambda *state: seconds.append(state[1]))
        mine, theirs = statistics.median(ours[name]), statistics.median(seconds)
        report[name] = {
            "modelkit_seconds": round(mine, 4),
            "implicit_seconds": round(theirs, 4),
            "speedup": round(theirs / mine, 2),
        }
    report["explicit"] = {"modelkit_seconds": round(statistics.median(ours["explicit"]), 4)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
