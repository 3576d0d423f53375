import pytest
from kombu import Connection
from kombu.transport import redis

from {{ cookiecutter.__package }}.jobs.redis_transport import Channel, Transport

OURS = f"{Transport.__module__}:{Transport.__name__}"


def test_a_channel_takes_connections_from_its_pool(broker_url: str) -> None:
    with Connection(broker_url, transport=OURS) as connection:
        channel = connection.default_channel

        assert isinstance(channel, Channel)
        with channel.conn_or_acquire() as client:
            assert client.ping()


def test_a_channel_that_is_closed_says_so_by_an_error_of_the_connection(broker_url: str) -> None:
    with Connection(broker_url, transport=OURS) as connection:
        channel = connection.default_channel

    assert isinstance(channel, Channel)
    with pytest.raises(connection.connection_errors, match="was lost"):
        assert channel.pool


def test_kombu_still_needs_the_cure(broker_url: str) -> None:
    """When this fails, `redis_transport.py` can go."""
    with Connection(broker_url) as connection:
        channel = connection.default_channel

    assert isinstance(channel, redis.Channel)
    with pytest.raises(AttributeError, match="client"):
        assert channel.pool
