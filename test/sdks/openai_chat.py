import json

from openai import OpenAI

from task import PARAMETERS, QUESTION, add, ran, run

client = OpenAI()
ADD = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": PARAMETERS}}


def question():
    return [{"role": "user", "content": QUESTION}]


def plain(model):
    answer = client.chat.completions.create(model=model, messages=question())
    return answer.choices[0].message.content


def stream(model):
    text = ""
    for chunk in client.chat.completions.create(model=model, messages=question(), stream=True):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
    return text


def tools(model):
    messages = question()
    first = client.chat.completions.create(model=model, messages=messages, tools=[ADD])
    message = first.choices[0].message
    messages.append(message)
    for call in message.tool_calls or []:
        content = add(json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    last = client.chat.completions.create(model=model, messages=messages, tools=[ADD])
    return {"text": last.choices[0].message.content, "ran": ran}


def embeddings(model):
    return client.embeddings.create(model=model, input=QUESTION).data[0].embedding


def models(_model):
    return [model.id for model in client.models.list()]


run({"plain": plain, "stream": stream, "tools": tools, "embeddings": embeddings, "models": models})
