# SPDX-License-Identifier: Apache-2.0
"""Prompts: MLflow keeps them in the model registry, beside the models and unseen by their search."""
import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tracking_fixture import mlflow_at, with_tracking


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def tracking(request):
    yield from with_tracking(request, request.param)


@pytest.fixture(scope="module", autouse=True)
def client(tracking):
    with mlflow_at(tracking.url):
        yield MlflowClient()


@pytest.fixture(scope="module")
def greeting(client):
    """A prompt of two versions."""
    mlflow.genai.register_prompt("greeting", "Hello {{name}}", commit_message="first", tags={"tone": "kind"})
    return mlflow.genai.register_prompt("greeting", "Good day {{name}}, {{title}}", commit_message="more polite")


def test_versions_of_a_prompt(greeting):
    assert (greeting.version, greeting.commit_message) == (2, "more polite")
    assert greeting.variables == {"name", "title"}
    first = mlflow.genai.load_prompt("greeting", version=1)
    assert (first.template, first.commit_message, first.tags["tone"]) == ("Hello {{name}}", "first", "kind")
    assert first.format(name="Ada") == "Hello Ada"
    assert mlflow.genai.load_prompt("prompts:/greeting/2").template == greeting.template
    assert mlflow.genai.load_prompt("prompts:/greeting@latest").version == 2


def test_aliases_of_a_prompt(greeting):
    mlflow.genai.set_prompt_alias("greeting", "production", 1)
    assert mlflow.genai.load_prompt("prompts:/greeting@production", cache_ttl_seconds=0).version == 1
    mlflow.genai.set_prompt_alias("greeting", "production", 2)
    assert mlflow.genai.load_prompt("prompts:/greeting@production", cache_ttl_seconds=0).version == 2
    mlflow.genai.delete_prompt_alias("greeting", "production")
    with pytest.raises(MlflowException):
        mlflow.genai.load_prompt("prompts:/greeting@production", cache_ttl_seconds=0)


def test_tags_of_a_prompt(client, greeting):
    mlflow.genai.set_prompt_tag("greeting", "team", "desk")
    assert mlflow.genai.get_prompt_tags("greeting")["team"] == "desk"
    mlflow.genai.delete_prompt_tag("greeting", "team")
    assert "team" not in mlflow.genai.get_prompt_tags("greeting")
    mlflow.genai.set_prompt_version_tag("greeting", 1, "state", "old")
    assert client.get_prompt_version("greeting", "1").tags["state"] == "old"
    mlflow.genai.delete_prompt_version_tag("greeting", 1, "state")
    assert "state" not in client.get_prompt_version("greeting", "1").tags


def test_conversations_and_forms_of_answers(client):
    from pydantic import BaseModel

    class Answer(BaseModel):
        summary: str

    made = mlflow.genai.register_prompt(
        "chat", [{"role": "system", "content": "You are {{role}}."}, {"role": "user", "content": "{{question}}"}],
        response_format=Answer, commit_message="a chat")
    loaded = mlflow.genai.load_prompt("chat", version=made.version)
    assert loaded.template[0] == {"role": "system", "content": "You are {{role}}."}
    assert loaded.response_format["properties"]["summary"]["type"] == "string"
    assert loaded.format(role="kind", question="Why?")[1]["content"] == "Why?"


def test_prompts_are_found_and_models_are_not(client, greeting):
    client.create_registered_model("a-model", tags={"tone": "kind"})
    client.create_registered_model("another-model")
    assert {"greeting", "chat"} >= {prompt.name for prompt in mlflow.genai.search_prompts()} >= {"greeting"}
    assert [prompt.name for prompt in mlflow.genai.search_prompts("name = 'greeting'")] == ["greeting"]
    assert [prompt.name for prompt in mlflow.genai.search_prompts("name LIKE 'greet%'")] == ["greeting"]
    assert mlflow.genai.search_prompts("name = 'a-model'") == []
    versions = client.search_prompt_versions("greeting")
    assert sorted(int(version.version) for version in versions) == [1, 2]


def test_models_are_found_and_prompts_are_not(client, greeting):
    assert [model.name for model in client.search_registered_models()] == ["a-model", "another-model"]
    assert [model.name for model in client.search_registered_models("tags.tone = 'kind'")] == ["a-model"]
    assert client.search_registered_models("name = 'greeting'") == []
    assert client.search_model_versions("name = 'greeting'") == []
    assert client.search_model_versions("") == []


def test_a_name_is_a_model_or_a_prompt(client, greeting):
    with pytest.raises(MlflowException, match="does not allow creating a model and a prompt with the same name"):
        client.create_registered_model("greeting")
    with pytest.raises(MlflowException, match="does not allow registering a prompt with the same name"):
        mlflow.genai.register_prompt("a-model", "text")
    with pytest.raises(MlflowException):
        client.get_registered_model("greeting")


def test_wrong_prompts_are_refused(greeting):
    with pytest.raises(MlflowException, match="Prompt text exceeds max length of 100000 characters"):
        mlflow.genai.register_prompt("long", "x" * 100_001)
    with pytest.raises(MlflowException):
        mlflow.genai.register_prompt("a/b", "text")
    with pytest.raises(MlflowException):
        mlflow.genai.set_prompt_alias("greeting", "v1", 1)
    assert mlflow.genai.load_prompt("nobody", version=1, allow_missing=True) is None


def test_prompts_are_deleted(client):
    made = mlflow.genai.register_prompt("short-lived", "text")
    client.delete_prompt_version("short-lived", str(made.version))
    assert client.search_prompt_versions("short-lived") == []
    client.delete_prompt("short-lived")
    assert mlflow.genai.search_prompts("name = 'short-lived'") == []
