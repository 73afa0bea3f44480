from anthropic import Anthropic

from task import PARAMETERS, QUESTION, add, ran, run

client = Anthropic()
ADD = {"name": "add", "description": "Adds.", "input_schema": PARAMETERS}


def question():
    return [{"role": "user", "content": QUESTION}]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def plain(model):
    return text_of(client.messages.create(model=model, max_tokens=100, messages=question()))


def stream(model):
    with client.messages.stream(model=model, max_tokens=100, messages=question()) as events:
        return text_of(events.get_final_message())


def tools(model):
    messages = question()
    first = client.messages.create(model=model, max_tokens=100, messages=messages, tools=[ADD])
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": add(block.input)}
        for block in first.content
        if block.type == "tool_use"
    ]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    last = client.messages.create(model=model, max_tokens=100, messages=messages, tools=[ADD])
    return {"text": text_of(last), "ran": ran}


def count(model):
    return client.messages.count_tokens(model=model, messages=question()).input_tokens > 0


def models(_model):
    return [model.id for model in client.models.list()]


run({"plain": plain, "stream": stream, "tools": tools, "count": count, "models": models})
