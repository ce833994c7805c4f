# SPDX-License-Identifier: Apache-2.0
"""A transformer or an explainer on KServe's own Python server, started by the arguments that KServe gives such pods."""
import argparse
import sys

from kserve import Model, ModelServer, model_server
from kserve.model import PredictorConfig


class Component(Model):
    def __init__(self, name, config):
        super().__init__(name, config)
        self.ready = True

    def preprocess(self, payload, headers=None):
        """Instances come in millimetres, the predictor takes centimetres."""
        return {"instances": [[value / 10 for value in row] for row in payload["instances"]]}

    def postprocess(self, result, headers=None, response_headers=None):
        return {**result, "by": "transformer"}

    async def explain(self, payload, headers=None):
        answer = await self.predict(payload)
        return {"explanations": [{"largest": max(row), "label": one["label"]}
                                 for row, one in zip(payload["instances"], answer["predictions"])]}


parser = argparse.ArgumentParser(parents=[model_server.parser], conflict_handler="resolve")
options, _ = parser.parse_known_args(sys.argv[1:])
config = PredictorConfig(predictor_host=options.predictor_host, predictor_protocol=options.predictor_protocol)
ModelServer(http_port=options.http_port, workers=1, enable_grpc=False).start([Component(options.model_name, config)])
