# SPDX-License-Identifier: Apache-2.0
"""A scrape of `apus serve events --metrics-listen`."""
import re
import urllib.error
import urllib.request

import pytest

from conftest import wait_for
from events_fixture import Broker, new_topic

SAMPLE = re.compile(r'^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+|\+Inf|NaN)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')


@pytest.fixture(scope="module")
def scraped(request):
    broker = Broker("--metrics-listen", "127.0.0.1:0")
    failed = request.session.testsfailed
    try:
        broker.start()
        said = wait_for(lambda: re.search(r"at=(http://127.0.0.1:\d+)/metrics", broker.logged()), what="the metrics")
        yield broker, said[1]
        broker.stop()
    finally:
        broker.clean(keep=request.session.testsfailed > failed)


def scrape(address):
    """Samples by name and labels; every line has to be of the format, and every metric to have a type."""
    with urllib.request.urlopen(address + "/metrics", timeout=60) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = response.read().decode()
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram")
            types[name] = kind
        elif not line.startswith("# HELP "):
            found = SAMPLE.match(line)
            assert found, line
            name, labels, value = found.groups()
            assert LABEL.sub("", labels or "") == "", line
            assert re.sub("_(bucket|sum|count)$", "", name) in types or name in types, line
            key = (name, tuple(sorted(LABEL.findall(labels or ""))))
            assert key not in samples, line
            samples[key] = float(value)
    return samples


def test_what_is_counted(scraped):
    broker, address = scraped
    topic = new_topic(broker)
    broker.kcat("-P", "-t", topic, input="".join(f"value {number}\n" for number in range(30)))
    # A group that commits 10 of 30.
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "lagging", "client.id": 'odd "name"\\',
                         "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    for _ in range(30):
        message = consumer.poll(20)
        assert message is not None and not message.error()
    consumer.commit(offsets=[TopicPartition(topic, 0, 10)], asynchronous=False)
    samples = scrape(address)
    one = (("topic", topic),)
    assert samples["apus_events_topic_records_in_total", one] == 30
    assert samples["apus_events_topic_records_out_total", one] == 30
    assert samples["apus_events_topic_bytes_in_total", one] > 300
    assert samples["apus_events_topic_bytes_out_total", one] > 300
    partition = (("partition", "0"), ("topic", topic))
    assert samples["apus_events_partition_start_offset", partition] == 0
    assert samples["apus_events_partition_end_offset", partition] == 30
    assert samples["apus_events_group_lag", (("group", "lagging"), *partition)] == 20
    assert samples["apus_events_connections", ()] >= 1
    assert samples["apus_events_queued_bytes", ()] >= 0
    assert samples["apus_events_request_duration_seconds_count", (("api", "Produce"),)] >= 1
    buckets = [value for (name, labels), value in samples.items()
               if name == "apus_events_request_duration_seconds_bucket" and ("api", "Produce") in labels]
    assert buckets == sorted(buckets) and len(buckets) == 15
    assert buckets[-1] == samples["apus_events_request_duration_seconds_count", (("api", "Produce"),)]
    assert samples["apus_events_client_bytes_in_total", (("client_id", 'odd \\"name\\"\\\\'),)] > 0
    consumer.close()


def test_what_is_not_there(scraped):
    _, address = scraped
    for path, data, status in [("/", None, 404), ("/metrics", b"x", 405)]:
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(urllib.request.Request(address + path, data=data), timeout=60)
        assert error.value.code == status
