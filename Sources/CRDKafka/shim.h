// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

// rd_kafka_producev takes a list of arguments that Swift cannot pass. Key and value are copied. A null key or value is
// Kafka's null. `headers` (or null) belongs to the message only when this succeeds. Timestamps are milliseconds since
// 1970; 0 means now.
static inline rd_kafka_resp_err_t apus_rd_kafka_produce(
    rd_kafka_t *client, const char *topic, int32_t partition, const void *key, size_t key_size, const void *value,
    size_t value_size, int64_t timestamp, rd_kafka_headers_t *headers, void *opaque) {
  if (headers)
    return rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)key, key_size), RD_KAFKA_V_VALUE((void *)value, value_size),
        RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
  return rd_kafka_producev(
      client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_KEY((void *)key, key_size), RD_KAFKA_V_VALUE((void *)value, value_size),
      RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}
