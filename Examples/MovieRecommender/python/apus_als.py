# SPDX-License-Identifier: Apache-2.0
"""Loads a movie recommender's model (docs/formats/als-model.md of Apus) for mlflow.pyfunc: what users would give movies."""
import json
import zlib

import numpy as np
import pandas as pd


class Model:
    def __init__(self, path):
        with open(path, "rb") as file:
            content = file.read()
        if content[:8] != b"APUSALS\n" or int.from_bytes(content[8:12], "little") != 1:
            raise ValueError(f"{path} is no ALS model of version 1")
        if zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
            raise ValueError(f"{path} is damaged: its checksum does not match")
        length = int.from_bytes(content[12:16], "little")
        self.header = json.loads(content[16:16 + length])
        self.place, self.content = 16 + length, content
        users, items, width = (self.header[name] for name in ("users", "items", "factors"))
        self.users, self.movies = self.take("<i8", users), self.take("<i8", items)
        self.mean = self.take("<f4", 1)[0]
        self.user_biases, self.movie_biases = self.take("<f4", users), self.take("<f4", items)
        self.user_factors = self.take("<f4", users * width).reshape(users, width)
        self.movie_factors = self.take("<f4", items * width).reshape(items, width)
        del self.content

    def take(self, kind, count):
        values = np.frombuffer(self.content, kind, count, self.place)
        self.place += values.nbytes
        return values

    @staticmethod
    def find(ids, wanted):
        """Places in `ids`, which ascend, and which of them there are."""
        places = np.clip(np.searchsorted(ids, wanted), 0, max(len(ids) - 1, 0))
        return places, ids[places] == wanted

    def predict(self, data, params=None):
        """Stars of each row's `user` and `movie`; NaN for a movie that is unknown. Unknown users are as all are."""
        users, knows_user = self.find(self.users, data["user"].to_numpy(np.int64))
        movies, knows_movie = self.find(self.movies, data["movie"].to_numpy(np.int64))
        own = self.user_biases[users] + np.einsum("rf,rf->r", self.user_factors[users], self.movie_factors[movies])
        scores = self.mean + self.movie_biases[movies] + np.where(knows_user, own, np.float32(0))
        if "alpha" not in self.header:
            scores = np.clip(scores, self.header["minValue"], self.header["maxValue"])
        return pd.DataFrame({"score": np.where(knows_movie, scores, np.nan).astype(np.float64)})


def _load_pyfunc(path):
    return Model(path)
