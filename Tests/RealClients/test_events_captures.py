# SPDX-License-Identifier: Apache-2.0
"""Every version of every request that the captures claim of real clients is sent by one, answered and understood."""
import pytest

import kafka_captures


@pytest.fixture(scope="module")
def said():
    return kafka_captures.walk()


def test_every_version_is_sent_and_answered_without_an_error(said):
    exchanges, versions = said
    answered = {(e.key, e.version) for e in exchanges if kafka_captures.is_good(e)}
    assert sorted(kafka_captures.claimed() - answered) == [], "claimed, but no longer sent or answered well"
    offered = {(key, v) for key, (lowest, highest) in versions.items() for v in range(lowest, highest + 1)}
    assert answered <= offered
    # Who adds a request or a version records it, or says in ClientCaptureTests.swift that no client sends it.
    assert sorted(answered - kafka_captures.claimed()) == [], "sent, but not recorded: scripts/record-kafka-captures"


def test_another_codec_reads_and_writes_the_same(said):
    """kafka-python's own reading of every answer gives the answer's bytes when it is written again."""
    for exchange in kafka_captures.kept(said[0]):
        if exchange.key in kafka_captures.UNKNOWN:
            continue
        message = kafka_captures.response(exchange)
        body = message.encode()
        assert exchange.answer.endswith(body), (exchange.key, exchange.version)
        # Before it are the correlation id and, in newer versions, an empty list of tags.
        assert len(exchange.answer) - len(body) in (4, 5), (exchange.key, exchange.version)
